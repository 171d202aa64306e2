"""What the log costs: how many lines a second it takes, and what a submit pays for it.

Goals: ≥ 100,000 lines/s handed to the history and to the queue of stderr; p99 of task_submit with
the defaults (level info, every change of state in the history) ≤ 1.15 of a server that logs nothing
and keeps no history (the median ratio of interleaved pairs), also when the history is sent to an
OpenSearch that takes 200 ms a call, and when that is down. Beside it the old way: each operation waits
for its line to be taken (old_log.py). Level debug adds a line a call, and is told
for context: with the history, and with stderr alone. The pool is paused: nothing runs.
"""
import contextlib
import os
import sys
import time

from lib import load
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, free_port, make_repositories
from lib.slow_server import SlowServer
from submit import body, task

PAIRS = 15
LINES = 100000


def run(context, report):
    with context.scratch() as scratch:
        lines(context, report, scratch)
        submits(context, report, scratch)
    old_way(context, report)


def lines(context, report, scratch):
    count = LINES // 10 if context.quick else LINES
    for threads in (1, 4):
        found = []
        for turn in range(context.rounds):
            folder = scratch.folder(f"lines-{threads}-{turn}")
            command = [load.program(context.build, "log_lines"), folder, str(threads), str(count)]
            found.append(load.run(command))
        name = f"{threads} thread{'s' if threads > 1 else ''}"
        told = [one["enqueued_per_second"] for one in found]
        report.add(f"lines/s logged, {name}", told, at_least=100000)
        kept = [one["written"] / count for one in found]
        report.add(f"of them in events.db, {name}", kept)
        report.add(f"lines/s written, {name}", [one["written_per_second"] for one in found])
        if threads == 1:
            report.add("a line below the level", [one["below_level_ns"] for one in found], "ns")


OPENSEARCH = {"MAHAVISHNU_OPENSEARCH_URL": "http://127.0.0.1:{port}"}
DOWN = "OpenSearch down"
SLOW = "OpenSearch at 200 ms a call"
SIDES = {
    "the defaults": ("info", {}),
    SLOW: ("info", OPENSEARCH),
    DOWN: ("info", OPENSEARCH),
    "level debug": ("debug", {}),
    "level debug, stderr only": ("debug", {"MAHAVISHNU_LOG_MAX_BYTES": "0"}),
    "no log, no history": ("off", {"MAHAVISHNU_LOG_MAX_BYTES": "0"}),
}


def submits(context, report, scratch):
    _, repos = make_repositories(scratch, 3)
    count = 300 if context.quick else 8000
    single = scratch.file("single", body("task_submit", task()))
    with contextlib.ExitStack() as stack:
        servers, loads = {}, {}
        slow = stack.enter_context(SlowServer(context, 200))
        ports = {SLOW: slow.port, DOWN: free_port()}
        for number, (name, (level, env)) in enumerate(SIDES.items()):
            env = {key: value.format(port=ports.get(name)) for key, value in env.items()}
            server = Mahavishnu(context.binary, scratch, repos, env, ("--log-level", level))
            servers[name] = stack.enter_context(server)
            client = server.client()
            client.call("pool_spawn", name="perf", max_workers=1, max_queue=900000)
            client.call("pool_scale", pool="perf", paused=True)
            headers = os.path.join(scratch.path, f"headers-{number}")
            os.rename(server.headers_file(scratch), headers)
            loads[name] = lambda port=server.port, headers=headers: p99(
                context, port, headers, single, count
            )
        found = interleave(loads, 3 if context.quick else PAIRS, warm_up=True)
        counters = servers["level debug"].client().call("metrics_get")["counters"]
        sent = sent_by(servers[SLOW])
        if slow.get("/figures")["documents"] < sent["opensearch_indexed"]:
            raise RuntimeError(f"OpenSearch has not what was sent: {sent}")
        away = servers[DOWN].client().call("metrics_get")
        if away["counters"]["opensearch_indexed"] or not away["gauges"]["opensearch_behind"]:
            raise RuntimeError(f"OpenSearch is not down: {away}")
    without = found["no log, no history"]
    for name, samples in found.items():
        report.add(f"task_submit, 32 clients, {name}: p99", samples, "ms")
        if samples is not without:
            goal = 1.15 if name in ("the defaults", SLOW, DOWN) else None
            report.add(f"{name} / no log, no history: p99", ratios(samples, without), at_most=goal)
    report.add("events sent to OpenSearch at 200 ms a call", sent["opensearch_indexed"])
    report.add("events it lost", sent["opensearch_dropped"] + sent["opensearch_rejected"], at_most=0)
    report.add("entries of level debug in the history", counters["journal_events"])
    report.add("entries it dropped", counters["journal_events_dropped"])


def sent_by(server):
    """The counters once all events that were made by now are sent."""
    client, until = server.client(), time.monotonic() + 120
    while True:
        metrics = client.call("metrics_get")
        counters = metrics["counters"]
        if counters["opensearch_indexed"] and not metrics["gauges"]["opensearch_behind"]:
            client.close()
            return counters
        if time.monotonic() > until:
            raise RuntimeError(f"OpenSearch was not sent all there is: {metrics}")
        time.sleep(0.2)


def old_way(context, report):
    with SlowServer(context, 200) as slow:
        command = [sys.executable, os.path.join(context.here, "old_log.py"), slow.url + "/_bulk", "20"]
        found = load.run(command)
    name = f"the old way ({found['client']}), a log server at 200 ms a call"
    report.add(f"{name}: an operation's p99", found["p99_ms"], "ms")
    report.add(f"{name}: operations/s", found["per_second"])


def p99(context, port, headers, single, count):
    command = [load.program(context.build, "http_load"), str(port), "/tools/call", headers, single]
    result = load.run([*command, "32", str(count)])
    if result["statuses"] != {"200": count}:
        raise RuntimeError(f"submits were refused: {result}")
    return result["latency"]["p99_ms"]
