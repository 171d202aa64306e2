"""What a task costs the product's own core, beside a naive scan of all pools; and how busy the server
keeps its workers under two limits at once (busy.py).

Goals: ≥ 500,000 tasks placed and finished a second with 10 pools, ≤ 3 times that cost with 10,000;
10, 20 and 100 workers ≥ 95 % busy. The core runs as in the server, with all its limits, aging and
records; only the disk and the workers are left out, and its time is the CPU's (perf/scheduler.cpp).
"""
import busy
from lib import load
from lib.rounds import interleave, ratios

POOLS = (10, 100, 1000, 10000)
TASKS = 400000
BATCH = 32  # tasks a commit: 32 clients that each wait for their answer
LIVE_A_POOL = 6
LIVE = LIVE_A_POOL * POOLS[-1]
SCANS = 20_000_000  # of one pool each: what the scan gets done in about as long as the core


def run(context, report):
    core(context, report)
    busy.run(context, report)


def core(context, report):
    program = load.program(context.build, "scheduler")
    tasks = TASKS // 20 if context.quick else TASKS

    def side(kind, pools, live, count):
        return lambda: load.run([program, kind, str(pools), str(count), str(BATCH), str(live)])

    sides = {}
    for pools in POOLS:
        few = max(2000, min(tasks, SCANS // pools))
        sides["core", pools] = side("core", pools, LIVE_A_POOL * pools, tasks)
        sides["scan", pools] = side("scan", pools, LIVE_A_POOL * pools, few)
    sides["full"] = side("core", POOLS[0], LIVE, tasks)
    found = interleave(sides, 1 if context.quick else max(context.rounds, 5))

    def values(name, key):
        return [one[key] for one in found[name]]

    report.add(
        "placed and finished a second, 10 pools",
        values(("core", 10), "per_second"),
        at_least=500000,
    )
    at_most = [values(("core", 10000), "ns"), values(("core", 10), "ns"), values("full", "ns")]
    report.add(
        "cost with 10,000 pools / with 10, both with 60,000 live tasks",
        ratios(at_most[0], at_most[2]),
        at_most=3,
    )
    report.add(
        "cost with 10,000 pools and 60,000 live tasks / with 10 pools and 60",
        ratios(at_most[0], at_most[1]),
        at_most=3,
    )
    report.add("10 pools, 60,000 live tasks: a task", [ns / 1000 for ns in at_most[2]], "µs")
    for pools in POOLS:
        for kind, name in (("core", "the core"), ("scan", "a scan of all pools, nothing else")):
            told = [ns / 1000 for ns in values((kind, pools), "ns")]
            report.add(f"{pools:,} pools, six live tasks each: {name}, a task", told, "µs")
