"""What the log costs: how many lines a second it takes, and what a submit pays for it.

Goals: ≥ 100,000 lines/s handed to the history and to the queue of stderr; p99 of task_submit with
level debug and the history on ≤ 1.15 of a server that logs nothing and keeps no history (the median
ratio of interleaved pairs). The pool is paused, so that nothing runs.
"""
import os

from lib import load
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, make_repositories
from submit import body, task

PAIRS = 15
LINES = 100000


def run(context, report):
    with context.scratch() as scratch:
        lines(context, report, scratch)
        submits(context, report, scratch)


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


def submits(context, report, scratch):
    _, repos = make_repositories(scratch, 3)
    count = 300 if context.quick else 8000
    single = scratch.file("single", body("task_submit", task()))
    silent = {"MAHAVISHNU_LOG_MAX_BYTES": "0"}
    with Mahavishnu(context.binary, scratch, repos, extra=("--log-level", "debug")) as logging:
        with Mahavishnu(context.binary, scratch, repos, silent, ("--log-level", "off")) as quiet:
            sides = {}
            for name, server in (("logging", logging), ("quiet", quiet)):
                client = server.client()
                client.call("pool_spawn", name="perf", max_workers=1, max_queue=900000)
                client.call("pool_scale", pool="perf", paused=True)
                headers = os.path.join(scratch.path, f"headers-{name}")
                os.rename(server.headers_file(scratch), headers)
                sides[name] = lambda port=server.port, headers=headers: p99(
                    context, port, headers, single, count
                )
            found = interleave(sides, 3 if context.quick else PAIRS, warm_up=True)
            counters = logging.client().call("metrics_get")["counters"]
    report.add("task_submit, 32 clients, debug log and history: p99", found["logging"], "ms")
    report.add("task_submit, 32 clients, no log, no history: p99", found["quiet"], "ms")
    ratio = ratios(found["logging"], found["quiet"])
    report.add("p99 with / without", ratio, at_most=1.15)
    report.add("entries in the history", counters["journal_events"])
    report.add("entries it dropped", counters["journal_events_dropped"])


def p99(context, port, headers, single, count):
    command = [load.program(context.build, "http_load"), str(port), "/tools/call", headers, single]
    result = load.run([*command, "32", str(count)])
    if result["statuses"] != {"200": count}:
        raise RuntimeError(f"submits were refused: {result}")
    return result["latency"]["p99_ms"]
