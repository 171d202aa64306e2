"""What a circuit breaker adds to a call that it allows, from 1 to 20 threads.

Goal: at most 200 ns. The product's breaker is shared by the threads that call one target, behind a
lock; beside it the same breaker as a value of one thread, and two atomics without a lock, which
cannot promise exactly one probe. A figure is the time of all calls together, divided by them.
"""
from lib import load
from lib.rounds import interleave

THREADS = (1, 2, 5, 20)
CALLS = 4_000_000  # altogether
NAMES = {
    "locked": "shared behind its lock, as it is used",
    "one": "a value of one thread each",
    "atomic": "two atomics, more than one probe",
}


def run(context, report):
    program = load.program(context.build, "breaker")
    calls = CALLS // 50 if context.quick else CALLS

    def side(kind, threads):
        command = [program, kind, str(threads), str(calls // threads)]
        return lambda: load.run(command)["ns"]

    sides = {(kind, threads): side(kind, threads) for kind in NAMES for threads in THREADS}
    found = interleave(sides, 1 if context.quick else max(context.rounds, 5))
    for kind, name in NAMES.items():
        goal = {"at_most": 200} if kind == "locked" else {}
        for threads in THREADS:
            many = "1 thread" if threads == 1 else f"{threads} threads"
            report.add(f"an allowed call, {many}: {name}", found[kind, threads], "ns", **goal)
