"""What a bridge costs: a call through it beside one on the socket, attaching to a running server, and
starting one.

Goals: a call through the bridge ≤ 60 µs more than one straight on the server's socket; from exec of
the bridge to the first answer ≤ 30 ms with a server that runs, ≤ 150 ms with none.
"""
import json
import os
import socket
import statistics
import subprocess
import time

from lib import machine
from lib.server import make_repositories

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "perf", "version": "0"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Lines:
    """One line there and one back on two descriptors, with as little of Python as can be."""

    def __init__(self, there, back):
        self.there, self.back = there, back

    def ask(self, line):
        os.write(self.there, line)
        answer = os.read(self.back, 1 << 16)
        while not answer.endswith(b"\n"):
            more = os.read(self.back, 1 << 16)
            if not more:
                raise RuntimeError(f"the server is gone; it said {answer[:300]!r}")
            answer += more
        return answer

    def tell(self, line):
        os.write(self.there, line)


def encoded(message):
    return (json.dumps(message) + "\n").encode()


def shake_hands(lines):
    answer = lines.ask(encoded(INITIALIZE))
    if b'"result"' not in answer:
        raise RuntimeError(f"the handshake was answered {answer[:300]!r}")
    lines.tell(encoded(INITIALIZED))


class Bridge:
    """`serve --stdio`; `took` is the time from its start to the first answer, in ms."""

    def __init__(self, command):
        began = time.perf_counter()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.lines = Lines(self.process.stdin.fileno(), self.process.stdout.fileno())
        shake_hands(self.lines)
        self.took = 1000 * (time.perf_counter() - began)

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Place:
    """A data directory and the commands that concern it."""

    def __init__(self, context, scratch, repos, config):
        self.binary, self.data = context.binary, scratch.folder(f"data-{time.monotonic_ns()}")
        self.flags = ["--config", config, "--data", self.data]
        self.serve = [self.binary, "serve", "--stdio", "--log-level", "warn", "--repos", repos, *self.flags]

    def bridge(self):
        return Bridge(self.serve)

    def owner(self):
        with open(os.path.join(self.data, "lock"), encoding="utf-8") as lock:
            return int(lock.read().split()[0])

    def stop(self):
        subprocess.run([self.binary, "stop", *self.flags], check=True, stdout=subprocess.DEVNULL)

    def straight(self):
        """A connection to the server without a bridge."""
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(os.path.join(self.data, "mahavishnu.sock"))
        lines = Lines(connection.fileno(), connection.fileno())
        shake_hands(lines)
        return connection, lines


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        config = scratch.file("config.yaml", "")
        place = Place(context, scratch, repos, config)
        first = place.bridge()
        try:
            calls(context, report, place, first)
            bridges(context, report, place)
        finally:
            first.close()
            place.stop()
        starts(context, report, lambda: Place(context, scratch, repos, config))


def calls(context, report, place, bridge):
    """Blocks of calls by turns, so that both sides see the same machine; the difference of a turn's
    medians counts."""
    connection, straight = place.straight()
    sides = {"socket": straight, "bridge": bridge.lines}
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "repo_list", "arguments": {}}}
    line = encoded(call)
    if b'"isError":true' in straight.ask(line):
        raise RuntimeError("repo_list fails")
    medians = {name: [] for name in sides}
    for _ in range(2 if context.quick else 20):
        for name, lines in sides.items():
            samples = []
            for _ in range(50 if context.quick else 500):
                began = time.perf_counter()
                lines.ask(line)
                samples.append(1e6 * (time.perf_counter() - began))
            medians[name].append(statistics.median(samples))
    connection.close()
    report.add("a call straight on the socket (median)", medians["socket"], "µs")
    report.add("the same through a bridge (median)", medians["bridge"], "µs")
    more = [through - direct for direct, through in zip(medians["socket"], medians["bridge"])]
    report.add("a bridge costs a call", more, "µs", at_most=60)
    report.add("RSS of a bridge", machine.rss_mb(bridge.process.pid), "MB")


def bridges(context, report, place):
    took = []
    for _ in range(5 if context.quick else 40):
        bridge = place.bridge()
        took.append(bridge.took)
        bridge.close()
    report.add("attach: exec of a bridge to its first answer, a server runs", took, "ms", at_most=30)


def starts(context, report, new_place):
    """By turns with a server that is no bridge: what the start of a server costs at that moment."""
    took = {"bridge": [], "alone": []}
    for _ in range(2 if context.quick else 15):
        place = new_place()
        bridge = place.bridge()
        took["bridge"].append(bridge.took)
        bridge.close()
        place.stop()
        alone = Bridge([*new_place().serve, "--in-process"])
        took["alone"].append(alone.took)
        alone.close()
    report.add("start: exec of a bridge to its first answer, no server runs", took["bridge"], "ms", at_most=150)
    report.add("the same without a bridge (--in-process)", took["alone"], "ms")
