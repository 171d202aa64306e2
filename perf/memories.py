"""What it costs that every task leaves a memory, and what a search takes.

Goal: `/bin/true` tasks a second ≥ 0.97 of a server with `memory.enabled: false`, in rounds of the same
run. Searches are over HTTP, one at a time; the memories are those of the tasks that ran before.
"""
import shutil
import statistics
import time

from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, make_repositories
from spawn import WORKERS, tasks_per_second


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        off = {"MAHAVISHNU_MEMORY_ENABLED": "false"}
        with Mahavishnu(context.binary, scratch, repos) as server, Mahavishnu(
            context.binary, scratch, repos, env=off
        ) as without:
            throughput(context, report, server, without)
            searches(context, report, server)


def throughput(context, report, server, without):
    count = 200 if context.quick else 4000
    true = shutil.which("true")
    found = interleave(
        {
            "with": lambda: settled(server, tasks_per_second(server, true, count)),
            "without": lambda: tasks_per_second(without, true, count),
        },
        1 if context.quick else max(context.rounds, 5),
        warm_up=True,
    )
    report.add(f"/bin/true, {WORKERS} workers, with memories: tasks/s", found["with"])
    report.add(f"/bin/true, {WORKERS} workers, memory.enabled false: tasks/s", found["without"])
    report.add(
        "tasks with memories / without",
        ratios(found["with"], found["without"]),
        at_least=None if context.quick else 0.97,
    )


def settled(server, figure):
    """The other side's turn begins when the index has caught up, so that each pays for its own."""
    began = time.monotonic()
    client = server.client()
    while client.call("memory_search", query="true", limit=1)["sources"][0]["behind"]:
        if time.monotonic() - began > 120:
            raise RuntimeError("the index does not catch up")
    client.close()
    return figure


def searches(context, report, server):
    client = server.client()
    for number in range(10 if context.quick else 1000):
        client.call(
            "memory_store",
            content=f"note {number}\n" + " ".join(f"word{number * 7 % k}" for k in range(3, 90)),
        )
    settled(server, 0)
    memories = client.call("metrics_get", names=["memories"])["gauges"]["memories"]
    report.add("memories searched", memories)
    for what, query in (("of a rare word", "word61"), ("of a word in nearly all", "true")):
        took = []
        for _ in range(5 if context.quick else 100):
            began = time.monotonic()
            if not client.call("memory_search", query=query)["hits"]:
                raise RuntimeError(f"nothing was found for {query}")
            took.append(1000 * (time.monotonic() - began))
        report.add(f"memory_search {what}, p50", statistics.median(took), "ms")
    client.close()
