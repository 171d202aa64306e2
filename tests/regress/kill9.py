"""Kills the server with SIGKILL at random moments under load, and counts what that did to the work.

Every task appends to one file from inside its own process: `start` when it begins, `done` as its
last act. A lock held for the life of the process catches two attempts of one task at once. After the
last round everything that was accepted must have ended as completed, and:
  lost        an accepted task that is not known, or did not complete            must be 0
  overlaps    two attempts of one task ran at the same time                      must be 0
  after_done  an attempt began although an earlier one had come to its end       must be 0
  left        processes with MAHAVISHNU_ATTEMPT when all is over                 must be 0

usage: kill9.py BINARY [--rounds 50] [--seed N]
"""
import argparse
import collections
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

COMMAND = r"""
exec 9>>"$LOCKS/$NAME.lock"
if ! flock -n 9; then echo "overlap $NAME" >> "$LOG"; exit 1; fi
echo "start $NAME $MAHAVISHNU_ATTEMPT" >> "$LOG"
sleep $NAP
echo "done $NAME $MAHAVISHNU_ATTEMPT" >> "$LOG"
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.data = os.path.join(folder, "data")
        self.port = free_port()
        self.process = None
        self.log = open(os.path.join(folder, "server.log"), "ab")

    def start(self):
        self.process = subprocess.Popen(
            [self.binary, "serve", "--http", f"127.0.0.1:{self.port}", "--data", self.data,
             "--repos", os.path.join(self.folder, "repos.yaml"),
             "--config", os.path.join(self.folder, "config.yaml")],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"the server ended by itself with {self.process.returncode}; see {self.log.name}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", "/readyz")
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.01)
        raise SystemExit("the server did not become ready within 60 s")

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def call(self, tool, arguments, timeout=30):
        """The tool's answer; None when the connection broke before one came."""
        with open(os.path.join(self.data, "token"), encoding="utf-8") as file:
            token = file.read().strip()
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
            connection.request("POST", "/tools/call", json.dumps({"name": tool, "arguments": arguments}),
                               {"Content-Type": "application/json", "Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            body = json.loads(response.read())
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if response.status >= 500 or response.status == 429:
            return None
        if response.status != 200:
            raise SystemExit(f"{tool} answered {response.status}: {body}")
        return body


def attempts_left(log_path):
    """Processes that still carry an attempt of this run (by the log path in their environment)."""
    marker = f"LOG={log_path}".encode()
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                environment = file.read().split(b"\0")
        except OSError:
            continue
        if marker in environment:
            left.append(int(pid))
    return left


def submit_some(server, rng, folder, number, pending, accepted):
    """Submits new tasks and whatever was not answered before; an idempotency key makes that safe."""
    for _ in range(rng.randint(2, 8)):
        name = f"t{number[0]}"
        number[0] += 1
        pending[name] = {
            "command": COMMAND, "idempotency_key": name, "retry": {"max_attempts": 60, "backoff_ms": 10},
            "labels": {"name": name},
            "env": {"NAME": name, "NAP": f"{rng.uniform(0, 0.6):.3f}", "LOCKS": os.path.join(folder, "locks"),
                    "LOG": os.path.join(folder, "log")}}
    for name, arguments in list(pending.items()):
        answer = server.call("task_submit", arguments, timeout=5)
        if answer is None:
            return
        accepted[name] = answer["task"]
        del pending[name]


def read_log(path):
    with open(path, encoding="utf-8") as file:
        return [line.split() for line in file]


def judge(log, accepted, states):
    starts, done = collections.Counter(), set()
    overlaps = after_done = 0
    for entry in log:
        if entry[0] == "overlap":
            overlaps += 1
        elif entry[0] == "start":
            starts[entry[1]] += 1
            after_done += entry[1] in done
        elif entry[0] == "done":
            done.add(entry[1])
    lost = [name for name in accepted if states.get(name) != "completed" or name not in done]
    return {"accepted": len(accepted), "starts": sum(starts.values()), "lost": len(lost),
            "overlaps": overlaps, "after_done": after_done}, lost


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "big"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="kill9-")
    os.mkdir(os.path.join(folder, "locks"))
    log_path = os.path.join(folder, "log")
    open(log_path, "w", encoding="utf-8").close()
    for name in ("repos.yaml", "config.yaml"):
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write("repos: []\n" if name == "repos.yaml" else "{}\n")
    server = Server(options.binary, folder)
    pending, accepted, number = {}, {}, [0]
    for _ in range(options.rounds):
        server.start()
        submit_some(server, rng, folder, number, pending, accepted)
        time.sleep(rng.uniform(0, 0.4))  # the random moment
        server.kill()
    server.start()
    while pending:
        submit_some(server, rng, folder, number, pending, accepted)
    states = {}
    deadline = time.monotonic() + 180
    for name, task in accepted.items():
        answer = None
        while time.monotonic() < deadline:
            answer = server.call("task_get", {"task": task, "wait_ms": 20000}, timeout=40)
            if answer is not None and answer["state"] not in ("queued", "running", "retry_wait"):
                break
        states[name] = answer["state"] if answer else "unknown"
    figures, lost = judge(read_log(log_path), accepted, states)
    server.process.send_signal(signal.SIGTERM)
    server.process.wait(60)
    figures["left"] = len(attempts_left(log_path))
    figures["rounds"] = options.rounds
    print(json.dumps(figures))
    bad = figures["lost"] + figures["overlaps"] + figures["after_done"] + figures["left"]
    if bad:
        for name in lost[:10]:
            print(f"lost: {name} {accepted[name]} is {states.get(name)}")
        print(f"kept for a look: {folder}")
        print("0 passed, 1 failed")
        sys.exit(1)
    shutil.rmtree(folder)
    print("1 passed, 0 failed")


main()
