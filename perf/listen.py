"""5,000 clients that listen for changes (subscriptions/listen): what they cost, and how soon they hear.

Goals: ≤ 70 MB of resident memory, ≤ 1 % of a core while nothing changes, and a change reaches all of
them in ≤ 250 ms. The change is a pool that is given another size: counted from just before the request
leaves until the last of them has its event, so journal and the client of the streams are in it. Beside
it the same server without a listener: its memory, its CPU, and how long the same request takes.
"""
import json
import subprocess
import time

from lib import load, machine
from lib.server import Mahavishnu, make_repositories

STREAMS = 5000
SECONDS = 20
CHANGES = 20


def run(context, report):
    streams = 200 if context.quick else STREAMS
    seconds = 2 if context.quick else SECONDS
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        with Mahavishnu(context.binary, scratch, repos) as server:
            client = server.client()
            client.call("pool_spawn", name="watched", max_workers=8)
            alone = {"rss": machine.rss_mb(server.pid), "cpu": cpu_percent(server, seconds)}
            quick = [timed_change(client, number) for number in range(CHANGES)]
            holder = Holder(context, scratch, server, streams)
            time.sleep(2)  # what opening them left to do
            rss, cpu = machine.rss_mb(server.pid), cpu_percent(server, seconds)
            reached = [holder.change(client, number) for number in range(CHANGES)]
            after = machine.rss_mb(server.pid)
            holder.end()
            client.close()
    name = f"{streams:,} streams"
    report.add(f"{name}: resident memory", rss, "MB", at_most=70)
    report.add(f"{name}: after {CHANGES} changes", after, "MB", at_most=70)
    report.add("resident memory without them", alone["rss"], "MB")
    report.add(f"{name}: CPU while nothing changes", cpu, "% of a core", at_most=1)
    report.add("CPU without them", alone["cpu"], "% of a core")
    report.add(f"{name}: a change reaches all", reached, "ms", at_most=250)
    report.add(f"{name}: the slowest of {CHANGES} changes", max(reached), "ms", at_most=250)
    report.add("the request that changes it, without them", quick, "ms")


def cpu_percent(server, seconds):
    began = machine.cpu_seconds(server.pid)
    time.sleep(seconds)
    return 100 * (machine.cpu_seconds(server.pid) - began) / seconds


def timed_change(client, number):
    began = time.monotonic_ns()
    client.call("pool_scale", pool="watched", target_workers=2 + number % 2)
    return (time.monotonic_ns() - began) / 1e6


class Holder:
    """The program that holds the streams."""

    def __init__(self, context, scratch, server, streams):
        version = "2026-07-28"
        body = {"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen",
                "params": {"notifications": {"resourceSubscriptions": ["mahavishnu://pool/watched"]},
                           "_meta": {"io.modelcontextprotocol/protocolVersion": version,
                                     "io.modelcontextprotocol/clientCapabilities": {}}}}
        headers = (f"Authorization: Bearer {server.token}\r\nMCP-Protocol-Version: {version}\r\n"
                   "Mcp-Method: subscriptions/listen\r\nAccept: application/json, text/event-stream\r\n")
        self.process = subprocess.Popen(
            [load.program(context.build, "hold_streams"), str(server.port), "/mcp",
             scratch.file("stream-headers", headers), scratch.file("stream-body", json.dumps(body)),
             str(streams)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.streams = streams
        if self.process.stdout.readline() != "ready\n":
            raise RuntimeError("the streams could not be opened")

    def change(self, client, number):
        """ms until the last stream was told."""
        print("look", file=self.process.stdin, flush=True)
        client.call("pool_scale", pool="watched", target_workers=4 + number % 2)
        sent = client.sent_ns
        found = json.loads(self.process.stdout.readline())
        if found["reached"] != self.streams:
            raise RuntimeError(f"only {found['reached']} of {self.streams} streams were told")
        took = (found["last_ns"] - sent) / 1e6
        if took <= 0:
            raise RuntimeError("the streams were told of an earlier change only now")
        return took

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)
