"""The real binary in a scratch folder of its own, for tests that drive it from outside."""
import http.client
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BINARY = os.environ.get("MAHAVISHNU_BINARY_UNDER_TEST", os.path.join(ROOT, "build", "mahavishnu"))
PATIENCE = 60  # seconds; nothing here takes more than a few


class Scratch:
    """Folders and an environment that know nothing of the user's own configuration."""

    def __init__(self):
        self.path = os.path.realpath(tempfile.mkdtemp(prefix="mahavishnu-e2e-"))
        self.data = os.path.join(self.path, "data")
        self.env = {key: value for key, value in os.environ.items()
                    if not key.startswith(("MAHAVISHNU_", "XDG_"))}
        self.env.update(HOME=self.path, XDG_CONFIG_HOME=os.path.join(self.path, "config"),
                        MAHAVISHNU_DATA=self.data)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)

    def file(self, name, text):
        path = os.path.join(self.path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def repository(self, name, files=None):
        """A real git repository with one commit."""
        folder = os.path.join(self.path, "src", name)
        for file, text in {"README": name + "\n", **(files or {})}.items():
            self.file(os.path.join("src", name, file), text)
        git = ["git", "-C", folder, "-c", "user.name=test", "-c", "user.email=test@localhost"]
        for command in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-qm", "first"]):
            subprocess.run(git + command, check=True, env=self.env)
        return folder

    def repositories(self, *entries):
        """repos.yaml where the server looks for it. An entry: (name, folder, tags)."""
        lines = ["repos:"] if entries else ["repos: []"]
        for name, folder, tags in entries:
            lines.append(f"  - {{name: {name}, path: {folder}, tags: [{', '.join(tags)}]}}")
        return self.file("config/mahavishnu/repos.yaml", "\n".join(lines) + "\n")

    def run(self, *words, **options):
        """A verb to its end."""
        return subprocess.run([BINARY, *words], env={**self.env, **options.pop("env", {})}, text=True,
                              errors="replace", capture_output=True, stdin=subprocess.DEVNULL,
                              cwd=self.path, timeout=PATIENCE, check=False, **options)

    def call(self, tool, arguments=None):
        """`mahavishnu call`: the structured result."""
        done = self.run("call", tool, json.dumps(arguments or {}))
        if done.returncode != 0:
            raise AssertionError(f"{tool}: {done.stderr}")
        return json.loads(done.stdout)


class Stdio:
    """`serve --stdio`, spoken to by hand; in its own process or as a bridge."""

    def __init__(self, scratch, *flags, in_process=True, env=None, cwd=None, binary=BINARY):
        self.errors_path = os.path.join(scratch.path, f"stderr-{time.monotonic_ns()}.log")
        self.errors = open(self.errors_path, "wb")
        words = ["--in-process"] if in_process else []
        self.process = subprocess.Popen([binary, "serve", "--stdio", *words, *flags],
                                        env={**scratch.env, **(env or {})}, cwd=cwd or scratch.path,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.buffer = b""

    def said(self):
        """What it wrote to stderr so far."""
        with open(self.errors_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def send(self, message):
        text = message if isinstance(message, (str, bytes)) else json.dumps(message)
        self.process.stdin.write((text.encode() if isinstance(text, str) else text) + b"\n")
        self.process.stdin.flush()

    def line(self, patience=PATIENCE):
        """The next line of stdout; None at its end."""
        deadline = time.monotonic() + patience
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, deadline - time.monotonic()))
            if not ready:
                raise AssertionError(f"no answer within {patience} s; got {self.buffer!r}")
            got = os.read(self.process.stdout.fileno(), 1 << 16)
            if not got:
                return None
            self.buffer += got
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.decode()

    def receive(self):
        line = self.line()
        return None if line is None else json.loads(line)

    def ask(self, message):
        self.send(message)
        return self.receive()

    def finish(self):
        """Ends the input; what still comes, and the exit code."""
        self.process.stdin.close()
        rest = []
        while (line := self.line()) is not None:
            rest.append(json.loads(line))
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        self.errors.close()
        return rest, code

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            try:
                stream.close()
            except OSError:
                pass


class Http:
    """`serve --http` on a free port; ready when the constructor returns."""

    def __init__(self, scratch, *flags, env=None, binary=BINARY):
        self.scratch = scratch
        self.log_path = os.path.join(scratch.path, f"server-{time.monotonic_ns()}.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([binary, "serve", "--http", "127.0.0.1:0", *flags],
                                            env={**scratch.env, **(env or {})}, cwd=scratch.path,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.port = self._wait_for_port()

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def _wait_for_port(self):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline and self.process.poll() is None:
            for line in self.log().splitlines():
                if re.search("serving https?://", line) and line.endswith("/mcp"):
                    return int(line.rsplit(":", 1)[1].split("/")[0])
            time.sleep(0.01)
        self.process.kill()
        raise AssertionError(f"the server did not become ready:\n{self.log()}")

    def token(self):
        with open(os.path.join(self.scratch.data, "token"), encoding="utf-8") as file:
            return file.read().strip()

    def request(self, method, path, body=None, headers=None):
        """(status, headers, body) with exactly these headers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def announce(self, length, headers):
        """The status that a POST of so many bytes gets before any of them is sent."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.putrequest("POST", "/tools/call")
            for name, value in {**headers, "Content-Length": str(length)}.items():
                connection.putheader(name, value)
            connection.endheaders()
            return connection.getresponse().status
        finally:
            connection.close()

    def tool(self, name, arguments=None, status=200):
        """POST /tools/call with the token."""
        got, _, body = self.request("POST", "/tools/call", json.dumps({"name": name, "arguments": arguments or {}}),
                                    {"Content-Type": "application/json", "Authorization": f"Bearer {self.token()}"})
        if got != status:
            raise AssertionError(f"{name}: {got} {body!r}")
        return json.loads(body)

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(PATIENCE)

    def stop(self):
        if self.process.poll() is None:
            self.signal()
        return self.wait()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class SmallDisk:
    """A file system of 40 MB below the scratch folder, with the data directory on it."""

    def __init__(self, test):
        self.path = os.path.join(test.scratch.path, "disk")
        os.mkdir(self.path)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", self.path],
                                 capture_output=True, check=False)
        if mounted.returncode != 0:
            test.skipTest("a small file system cannot be mounted here")
        test.addCleanup(lambda: subprocess.run(["umount", "-l", self.path], check=False))
        test.scratch.data = os.path.join(self.path, "data")
        test.scratch.env["MAHAVISHNU_DATA"] = test.scratch.data
        self.filler = os.path.join(self.path, "filler")

    def fill(self):
        with open(self.filler, "wb", buffering=0) as out:  # or what does not fit fails again when it is closed
            try:
                while True:
                    out.write(b"x" * 65536)
            except OSError:
                pass

    def free(self):
        os.unlink(self.filler)


def submit(server, **task):
    """(status, body) of a task_submit that may be refused."""
    status, _, body = server.request("POST", "/tools/call", json.dumps({"name": "task_submit", "arguments": task}),
                                     {"Content-Type": "application/json", "Authorization": f"Bearer {server.token()}"})
    return status, json.loads(body)


def first_refusal(server):
    """What the first of at most 2,000 tasks is answered with that is not taken."""
    for _ in range(2000):
        status, body = submit(server, command="true", stdin="x" * 20000)
        if status != 200:
            return status, body["error"]["message"]
    raise AssertionError("new work was taken on a full disk")


def processes_with(marker):
    """Pids whose environment or command line holds `marker`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as environ, open(f"/proc/{pid}/cmdline", "rb") as cmdline:
                if marker.encode() in environ.read() + cmdline.read():
                    found.append(int(pid))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def eventually(condition, what):
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"not within {PATIENCE} s: {what}")
