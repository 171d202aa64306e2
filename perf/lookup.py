"""Repositories found by name, tag and role, among 100 and among 10,000.

Goal: flat, at most twice the time for a hundred times as many (what is left is memory further away).
Beside it the old way, a scan of the list for a tag.
"""
from lib import load
from lib.rounds import interleave, ratios

FEW, MANY = 100, 10000
LOOKUPS = 2_000_000
SCAN = "a scan of the list for a tag"


def run(context, report):
    program = load.program(context.build, "lookup")
    times = LOOKUPS // 20 if context.quick else LOOKUPS

    def side(count):
        return lambda: load.run([program, str(count), str(times)])

    found = interleave({FEW: side(FEW), MANY: side(MANY)}, 1 if context.quick else max(context.rounds, 5))
    for kind in found[FEW][0]:
        few = [one[kind] for one in found[FEW]]
        many = [one[kind] for one in found[MANY]]
        report.add(f"{kind}, {FEW:,} repositories", few, "ns")
        report.add(f"{kind}, {MANY:,} repositories", many, "ns")
        goal = {} if kind == SCAN else {"at_most": 2}
        report.add(f"{kind}: {MANY:,} / {FEW:,}", ratios(many, few), **goal)
