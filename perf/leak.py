"""What is left in memory of tasks that are over: the service, the core and the journal run a million
tasks under an executor that does nothing, with memories, their index and the history (leak.cpp).

Goal: resident memory at the end within 10 % of what it was after the first 100,000. Beside it the
old way in miniature: a registry that keeps an object for every task it has run (asyncio, no disk).
"""
import json
import subprocess
import sys

from lib import load

TASKS = 1_000_000
FIRST = 100_000

REGISTRY = """
import asyncio, json, os, sys
tasks, first = int(sys.argv[1]), int(sys.argv[2])
results = {}

async def work(number):
    return {"status": "completed", "exit_code": 0, "output": ""}

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

async def main():
    for number in range(0, tasks, 100):
        batch = range(number, number + 100)
        ends = await asyncio.gather(*(asyncio.create_task(work(one)) for one in batch))
        for one, end in zip(batch, ends):
            results[f"task_{one}"] = {"argv": ["/bin/true", str(one)], **end}
        if number + 100 in (first, tasks):
            print(json.dumps({"ended": number + 100, "rss_mb": resident()}), flush=True)

asyncio.run(main())
"""


def run(context, report):
    tasks, first = (20_000, 2_000) if context.quick else (TASKS, FIRST)
    with context.scratch() as scratch:
        program = load.program(context.build, "leak")
        ours = looks([program, scratch.folder("data"), str(tasks), str(first)])
    old = looks([sys.executable, "-c", REGISTRY, str(tasks), str(first)])
    if ours[-1]["ended"] != tasks or old[-1]["ended"] != tasks:
        raise RuntimeError(f"not all tasks ended: {ours[-1]}, {old[-1]}")
    report.add(
        f"resident after {tasks:,} tasks / after {first:,}",
        ours[-1]["rss_mb"] / ours[0]["rss_mb"],
        at_most=None if context.quick else 1.1,
    )
    report.add(f"resident after {first:,} tasks", ours[0]["rss_mb"], "MB")
    report.add("resident at the end", ours[-1]["rss_mb"], "MB")
    report.add("the most of ten looks", max(one["rss_mb"] for one in ours), "MB")
    report.add("tasks/s, on disk", tasks / ours[-1]["seconds"])
    report.add("a registry of all tasks: / after the first", old[-1]["rss_mb"] / old[0]["rss_mb"])
    report.add("a registry of all tasks: at the end", old[-1]["rss_mb"], "MB")


def looks(command):
    """One JSON object a line."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]
