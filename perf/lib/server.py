"""Servers under test and beside it, each in a scratch folder on the disk of the build."""
import contextlib
import http.client
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time

from lib.client import Client


class Missing(Exception):
    """Something a figure needs is not installed; the message is the reason to print."""


class Scratch:
    """A folder that goes away, on the build's disk: a memory file system would make fsync free."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.path = tempfile.mkdtemp(prefix="run-", dir=folder)

    def file(self, name, text):
        path = os.path.join(self.path, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def folder(self, name):
        path = os.path.join(self.path, name)
        os.makedirs(path, exist_ok=True)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.path, ignore_errors=True)


def make_repositories(scratch, count):
    """Real git repositories, one commit each; their names, and the repos.yaml that lists them."""
    root = scratch.folder("repositories")
    first = os.path.join(root, "repo0000")
    git = ["git", "-c", "user.name=perf", "-c", "user.email=perf@localhost", "-C", first]
    os.makedirs(first)
    subprocess.run(git + ["init", "-q", "-b", "main"], check=True)
    with open(os.path.join(first, "README"), "w", encoding="utf-8") as out:
        out.write("a repository of the benchmark\n")
    subprocess.run(git + ["add", "-A"], check=True)
    subprocess.run(git + ["commit", "-qm", "first"], check=True)
    names = [f"repo{number:04}" for number in range(count)]
    for name in names[1:]:
        shutil.copytree(first, os.path.join(root, name))
    lines = ["repos:"]
    for name in names:
        lines += [
            f"  - name: {name}",
            f"    path: {os.path.join(root, name)}",
            "    tags: [perf]",
            "    role: service",
            "    description: A repository of the benchmark",
        ]
    return names, scratch.file("repos.yaml", "\n".join(lines) + "\n")


def free_port():
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(process):
    """TERM, and KILL when that is not heard within 20 s."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Mahavishnu:
    """The product's server over HTTP, with the token on unless `extra` says --no-auth. Raises with the end of its log when it is
    not ready in time."""

    def __init__(self, binary, scratch, repos_yaml, env=None, extra=(), scheme="http"):
        self.scheme = scheme
        self.data = scratch.folder(f"data-{time.monotonic_ns()}")
        self.port = free_port()
        self.log = open(os.path.join(scratch.path, "server.log"), "ab+")
        config = scratch.file("config.yaml", "")
        self.command = [
            binary,
            "serve",
            "--http",
            f"127.0.0.1:{self.port}",
            "--config",
            config,
            "--repos",
            repos_yaml,
            "--data",
            self.data,
            "--log-level",
            "warn",
            *extra,
        ]
        self.env = {**os.environ, **(env or {})}
        self.start()
        self.token = ""
        with contextlib.suppress(FileNotFoundError):  # --no-auth
            with open(os.path.join(self.data, "token"), encoding="utf-8") as text:
                self.token = text.read().strip()

    def start(self, look_s=0.02):
        """Starts it, or starts it again once it is gone, and looks so often whether it is ready; ms
        from exec to ready."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            env=self.env,
        )
        self.pid = self.process.pid
        self._wait_ready(look_s)
        return 1000 * (time.monotonic() - began)

    def _wait_ready(self, look_s, limit=30):
        until = time.monotonic() + limit
        while time.monotonic() < until and self.process.poll() is None:
            try:
                probe = self._connection()
                probe.request("GET", "/readyz")
                if probe.getresponse().status == 200:
                    probe.close()
                    return
            except OSError:
                pass
            time.sleep(look_s)
        self.log.seek(0)
        tail = self.log.read()[-2000:].decode(errors="replace")
        end(self.process)
        raise RuntimeError(f"the server was not ready within {limit} s; its log ends:\n{tail}")

    def _connection(self):
        if self.scheme == "http":
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        anybody = ssl._create_unverified_context()
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=2, context=anybody)

    def client(self, token=None):
        return Client(self.port, token or self.token)

    def headers_file(self, scratch):
        return scratch.file("headers", f"Authorization: Bearer {self.token}\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.log.close()


class Nginx:
    """`return 200` with a body of the same size: what a good server needs for no work at all."""

    def __init__(self, scratch, body_bytes, workers, identity=None):
        binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/sbin")
        if not binary:
            raise Missing("nginx is not installed (apt-get install nginx-light)")
        self.port = free_port()
        folder = scratch.folder(f"nginx-{self.port}")
        temporary = "".join(
            f"  {kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        secure = ""
        if identity:
            secure = f"ssl_certificate {identity[0]}; ssl_certificate_key {identity[1]};"
        config = scratch.file(
            f"nginx-{self.port}.conf",
            f"""
daemon off; master_process on; worker_processes {workers}; pid {folder}/pid; error_log {folder}/log;
worker_rlimit_nofile 16384;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 3600s; tcp_nodelay on;
{temporary}  server {{
    listen 127.0.0.1:{self.port} reuseport backlog=4096{" ssl" if identity else ""}; {secure}
    location / {{ default_type application/json; return 200 '{"x" * body_bytes}'; }}
  }}
}}
""",
        )
        self.process = subprocess.Popen(
            [binary, "-c", config, "-p", folder],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for_port(self.port, self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)


class SdkServer:
    """The TypeScript SDK's server, installed by npm as perf/sdk_server's lock file says."""

    def __init__(self, source, build, result_file, token):
        npm, node = shutil.which("npm"), shutil.which("node")
        if not npm or not node:
            raise Missing("npm is not installed")
        folder = os.path.join(build, "sdk_server")
        os.makedirs(folder, exist_ok=True)
        for name in ("package.json", "package-lock.json", "server.mjs"):
            shutil.copy(os.path.join(source, name), folder)
        if not os.path.isdir(
            os.path.join(folder, "node_modules", "@modelcontextprotocol", "server")
        ):
            done = subprocess.run(
                [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=folder,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            if done.returncode != 0:
                raise Missing("npm could not install the SDK: " + done.stderr.strip()[-200:])
        self.process = subprocess.Popen(
            [node, "server.mjs", result_file, token],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self.process.pid
        self.port = int(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)
        self.process.stdout.close()


def wait_for_port(port, process, limit=10):
    import socket

    until = time.monotonic() + limit
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.02)
    end(process)
    raise RuntimeError("a baseline server did not listen in time")
