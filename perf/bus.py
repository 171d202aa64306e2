"""What the message bus delivers in memory, and what slow subscribers cost it.

Goals: ≥ 200,000 deliveries/s through its shell (a delivery is taken and confirmed); with five groups
of slow subscribers (10 ms a message) never more at work than they have consumers, 500, and memory
that does not grow with what is published: 20,000 messages take as much as 1,000, within 2 MiB.
Beside it the old way (`old_bus.py`): a task for every message and subscriber.
"""
import os
import sys

from lib import load
from lib.rounds import interleave

GROUPS = 5
HANDLER_MS = 10
FEW, MANY = 1000, 20000
MIB = 1 << 20


def run(context, report):
    program = load.program(context.build, "bus")
    old = [sys.executable, "-B", os.path.join(context.here, "old_bus.py")]
    count = 20000 if context.quick else 200000
    many = FEW * 4 if context.quick else MANY

    def side(*words):
        return lambda: load.run(list(map(str, words)))

    sides = {
        "state": side(program, "state", count, GROUPS),
        "calls": side(program, "calls", count, GROUPS),
        "old": side(*old, count // 4, GROUPS, 0),
        "slow few": side(program, "slow", FEW, GROUPS, HANDLER_MS),
        "slow many": side(program, "slow", many, GROUPS, HANDLER_MS),
        "old few": side(*old, FEW, GROUPS, HANDLER_MS),
        "old many": side(*old, many, GROUPS, HANDLER_MS),
    }
    found = interleave(sides, 1 if context.quick else context.rounds)

    def of(name, key, divisor=1):
        return [one[key] / divisor for one in found[name]]

    rate = "deliveries_per_second"
    report.add("deliveries/s, 100 a poll and an ack", of("calls", rate), at_least=200000)
    report.add("deliveries/s, the state machine alone", of("state", rate))
    report.add("deliveries/s, the old way", of("old", rate))
    for name, messages in (("few", FEW), ("many", many)):
        what = f"{messages:,} messages × {GROUPS} slow subscribers"
        report.add(f"{what}: handlers at work at most", of(f"slow {name}", "most_at_work"),
                   at_most=GROUPS * 100)
        report.add(f"{what}: handlers at work, the old way", of(f"old {name}", "most_at_work"))
        report.add(f"{what}: memory grows by", of(f"slow {name}", "grown_bytes", MIB), "MiB")
        grown = of(f"old {name}", "grown_bytes", MIB)
        report.add(f"{what}: memory grows by, the old way", grown, "MiB")
        report.add(f"{what}: time", of(f"slow {name}", "seconds"), "s")
    more = [many - few for many, few in zip(of("slow many", "grown_bytes", MIB),
                                            of("slow few", "grown_bytes", MIB))]
    report.add(f"memory of {many:,} messages beyond that of {FEW:,}", more, "MiB", at_most=2)
