"""A test with bridges, their clients, and a server of another version."""
import fcntl
import json
import os
import re
import signal
import socket
import struct
import threading
import time
import unittest

from harness import Scratch, Stdio, eventually, processes_with

INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
              "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                         "clientInfo": {"name": "by hand", "version": "0"}}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params else {})}


def call(number, tool, **arguments):
    return request(number, "tools/call", name=tool, arguments=arguments)


class Bridge(Stdio):
    """A client that started `serve --stdio`, after its handshake."""

    def __init__(self, scratch, *flags, handshake=True, **options):
        super().__init__(scratch, *flags, in_process=False, **options)
        self.last_id = 0
        if handshake:
            answer = self.ask(INITIALIZE)
            if answer is None or "result" not in answer:
                raise AssertionError(f"no handshake: {answer} {self.said()}")
            self.send(INITIALIZED)

    def submit(self, tool, **arguments):
        self.last_id += 1
        self.send(call(self.last_id, tool, **arguments))
        return self.last_id

    def tool(self, tool, **arguments):
        """The structured result."""
        number = self.submit(tool, **arguments)
        answer = self.receive()
        if answer is None or answer.get("id") != number or answer.get("result", {}).get("isError", True):
            raise AssertionError(f"{tool}: {answer} {self.said()}")
        return answer["result"]["structuredContent"]


def said_hello(path, **members):
    """(answer, socket): a connection made by hand that said hello."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    hello = {"version": "0.0.1", **members}
    connection.sendall((json.dumps(request(1, "mahavishnu/hello", **hello)) + "\n").encode())
    return json.loads(connection.makefile("rb").readline()), connection


class OtherOwner:
    """Owns a data directory as a server of another version would, and answers hellos."""

    def __init__(self, data, version, makes_room):
        os.makedirs(data, mode=0o700, exist_ok=True)
        self.version, self.makes_room, self.hellos = version, makes_room, []
        self.lock = open(os.path.join(data, "lock"), "w", encoding="utf-8")
        fcntl.fcntl(self.lock, 37, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))  # F_OFD_SETLK
        self.lock.write(f"{os.getpid()} 2026-01-01T00:00:00Z {version}\n")
        self.lock.flush()
        self.path = os.path.join(data, "mahavishnu.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.connections = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection):
        for line in connection.makefile("rb"):
            message = json.loads(line)
            if message["method"] != "mahavishnu/hello":
                reply = {"serverInfo": {"name": "other", "version": self.version}, "capabilities": {},
                         "protocolVersion": "2025-11-25"}
            else:
                self.hellos.append(message["params"])
                reply = {"version": self.version, "pid": os.getpid(), "background": True,
                         "ending": self.makes_room and message["params"]["make_room"]}
            if "id" in message:
                connection.sendall((json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": reply}) + "\n").encode())
            if reply.get("ending"):
                self.close()
                return

    def close(self):
        self.listener.close()
        self.lock.close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class BridgeTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.scratch.env["XDG_RUNTIME_DIR"] = self.scratch.path
        self.scratch.repositories()
        self.addCleanup(self.no_process_left)

    def no_process_left(self):
        def all_ended():
            if self.owner():  # perhaps only now: a bridge that was killed had just started it
                stopped = self.scratch.run("stop")
                self.assertEqual(stopped.returncode, 0, stopped.stdout + stopped.stderr)
            return not processes_with(self.scratch.path)

        try:
            eventually(all_ended, "all processes of the test ended")
        finally:
            for pid in processes_with(self.scratch.path):
                os.kill(pid, signal.SIGKILL)
            self.scratch.close()

    def bridge(self, *flags, **options):
        client = Bridge(self.scratch, *flags, **options)
        self.addCleanup(client.kill)
        return client

    def owner(self):
        """The pid of the server that owns the data directory, or None."""
        done = self.scratch.run("status")
        found = re.search(r"^server: +pid (\d+)", done.stdout, re.MULTILINE)
        return int(found[1]) if found else None

    def socket(self):
        return os.path.join(self.scratch.data, "mahavishnu.sock")

    def log(self):
        try:
            with open(os.path.join(self.scratch.data, "server.log"), encoding="utf-8") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def gone(self, pid):
        eventually(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} has ended")

    def kill_server(self):
        """Ends when another one has taken its place: then a bridge has noticed."""
        server = self.owner()
        os.kill(server, signal.SIGKILL)
        eventually(lambda: self.owner() not in (None, server), "another server has taken over")

    def start_task(self, client, command, **arguments):
        task = client.tool("task_submit", command=command, **arguments)["task"]
        eventually(lambda: client.tool("task_get", task=task)["state"] == "running", "the task runs")
        return task

    def gated(self, client):
        """A running task, and the file that lets it end."""
        gate = os.path.join(self.scratch.path, f"gate-{time.monotonic_ns()}")
        return self.start_task(client, f"while [ ! -e {gate} ]; do sleep 0.05; done; echo passed"), gate
