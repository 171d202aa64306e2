"""What other clients feel of one that means harm.

It holds as many connections as the server takes, less the one of the client that is measured: bodies that
come byte by byte, heads that never end, subscriptions whose events nobody reads, silence; whatever the
server ends it opens again. Meanwhile a pool changes four times a second, which the subscriptions are told.
Goal: the p99 of small read-only calls of another client ≤ 3 times what it is without, in the same round.
The probe asks 500 times a second and counts from when a request was due. Clients stand for other
machines: on two cores the server has one and they have the other, or else what is measured is how long the
kernel lets a woken client wait behind the server on its core (a tick, 4 ms); and the program that does the harm
runs in the scheduler's idle class. That it could do all its harm is told: each slow connection sends once a second.
"""
import json
import os
import resource
import subprocess
import threading
import time

from lib import load
from lib.client import modern_call
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, make_repositories

CONNECTIONS = 9990  # of the 10,000 that are served; some are left for the others
PERIOD_US = 2000
SECONDS = 8
SETTLE_S = 11  # until the first heads that never end have been refused, and others begun


def run(context, report):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    connections = 200 if context.quick else min(CONNECTIONS, hard - 500)
    seconds, settle = (2, 0) if context.quick else (SECONDS, SETTLE_S)
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[:1])  # what is started inherits it
        with Mahavishnu(context.binary, scratch, repos) as server:
            os.sched_setaffinity(0, cores[-1:])
            changer = server.client()
            changer.call("pool_spawn", name="watched", max_workers=8)
            changer.close()
            found = interleave(
                {
                    "alone": lambda: probe(context, scratch, server, seconds),
                    "beside": lambda: beside(context, scratch, server, seconds, connections, settle),
                },
                1 if context.quick else context.rounds,
            )
    alone = [one["p99_ms"] for one in found["alone"]]
    together = [one["p99_ms"] for one in found["beside"]]
    report.add("p99 of small calls, alone", alone, "ms")
    report.add(f"p99 beside {connections:,} hostile connections", together, "ms")
    report.add("ratio", ratios(together, alone), at_most=3)
    report.add("p50 beside them", [one["p50_ms"] for one in found["beside"]], "ms")
    report.add("longest call beside them", [one["max_ms"] for one in found["beside"]], "ms")
    report.add("pieces sent by them, of those due", [one["harm"]["done"] for one in found["beside"]])
    last = found["beside"][-1]["harm"]
    report.note(f"open files allowed: {hard:,}; in the last round {last['opened']:,} connections were opened, "
                f"{last['ended']:,} ended by the server, with {json.dumps(last['statuses'])}")


def probe(context, scratch, server, seconds):
    body, headers = modern_call("repo_list", {})
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    path = scratch.file("probe-headers", f"Authorization: Bearer {server.token}\r\n{lines}")
    process = subprocess.Popen(
        [load.program(context.build, "http_probe"), str(server.port), "/mcp", path, str(PERIOD_US)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    print(json.dumps(body), file=process.stdin, flush=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        pass
    said = process.communicate(timeout=60)[0]
    found = json.loads(said)
    if found["failed"] or set(found["statuses"]) != {"200"}:
        raise RuntimeError(f"the measured client was not served: {said}")
    return found["latency"]


class Changer:
    """Changes what the subscriptions listen to, until the block ends."""

    def __init__(self, server):
        self.client, self.over = server.client(), threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        number = 0
        while not self.over.wait(0.25):
            number += 1
            self.client.call("pool_scale", pool="watched", target_workers=1 + number % 2)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.client.close()


def idle_class():
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def beside(context, scratch, server, seconds, connections, settle):
    version = "2026-07-28"
    token = f"Authorization: Bearer {server.token}\r\n"
    body = {"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen",
            "params": {"notifications": {"resourceSubscriptions": ["mahavishnu://pool/watched"]},
                       "_meta": {"io.modelcontextprotocol/protocolVersion": version,
                                 "io.modelcontextprotocol/clientCapabilities": {}}}}
    headers = (f"{token}MCP-Protocol-Version: {version}\r\nMcp-Method: subscriptions/listen\r\n"
               "Accept: application/json, text/event-stream\r\n")
    with Changer(server):
        harm = subprocess.Popen(
            [load.program(context.build, "hostile"), str(server.port), scratch.file("harm-headers", token),
             scratch.file("harm-listen", headers), scratch.file("harm-body", json.dumps(body)),
             str(connections)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=idle_class)
        if harm.stdout.readline() != "ready\n":
            raise RuntimeError("the hostile connections could not be opened")
        ready = time.monotonic()
        time.sleep(settle)
        found = probe(context, scratch, server, seconds)
        lasted = time.monotonic() - ready
        found["harm"] = json.loads(harm.communicate(timeout=60)[0])
        # The openings, and half of the connections once a second.
        due = found["harm"]["opened"] * 3 / 4 + lasted * connections / 2
        found["harm"]["done"] = found["harm"]["pieces"] / due
    return found
