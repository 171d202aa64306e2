"""How busy workers are kept under two limits at once.

N workers in two pools of N/2, a workflow that may run N tasks at once, and steps of 0.2 s: first ten
steps for the one pool, then ten for the other, each over N repositories. Beside it a small asyncio
program with two nested semaphores (the workflow's, then the pool's) that runs the same children: a
task that holds a place in the workflow while it waits for a worker keeps it from those whose worker
is idle. In the order that suits it best (the pools by turns) it is measured as well.

Each step says itself when it ran (perf/nap), so the share is of real work, without anything a
scheduler says of itself. It counts from the first start for as long as both pools have work queued.
"""
import asyncio
import os
import time

from lib import load
from lib.rounds import interleave
from lib.server import Mahavishnu

STEP_MS = 200
STEPS = 20
POOLS = ("a", "b")


def run(context, report):
    for workers in (10,) if context.quick else (10, 20, 100):
        of_size(context, report, workers)


def of_size(context, report, workers):
    found = interleave(
        {
            "server": lambda: served(context, workers),
            "nested": lambda: nested(context, workers, in_order()),
            "turns": lambda: nested(context, workers, by_turns()),
        },
        1 if context.quick else context.rounds,
    )
    report.add(f"busy: {workers} workers", found["server"], "%", at_least=95)
    report.add(f"busy: {workers} workers, two nested semaphores", found["nested"], "%")
    report.add(
        f"busy: {workers} workers, two nested semaphores, pools by turns", found["turns"], "%"
    )


def in_order():
    return [POOLS[2 * step // STEPS] for step in range(STEPS)]


def by_turns():
    return [POOLS[step % 2] for step in range(STEPS)]


def nap(context, log, pool):
    return [load.program(context.build, "nap"), str(STEP_MS), log, pool]


def served(context, workers):
    with context.scratch() as scratch:
        folder = scratch.folder("repository")
        repos = scratch.file(
            "repos.yaml",
            "repos:\n"
            + "".join(f"  - {{name: repo{i}, path: {folder}}}\n" for i in range(workers)),
        )
        log = os.path.join(scratch.path, "naps")
        with Mahavishnu(context.binary, scratch, repos) as server:
            client = server.client()
            for pool in POOLS:
                client.call("pool_spawn", name=pool, max_workers=workers // 2)
            client.call(
                "workflow_run",
                over={"all": True},
                max_parallel=workers,
                max_per_repo=STEPS,
                steps=[
                    {"id": f"step{number}", "argv": nap(context, log, pool), "pool": pool}
                    for number, pool in enumerate(in_order())
                ],
            )
            wait_for_lines(log, workers * STEPS)
        return share(log, workers)


def nested(context, workers, pools):
    with context.scratch() as scratch:
        log = os.path.join(scratch.path, "naps")
        asyncio.run(semaphores(context, workers, pools, log))
        return share(log, workers)


async def semaphores(context, workers, pools, log):
    workflow = asyncio.Semaphore(workers)
    of_pool = {pool: asyncio.Semaphore(workers // 2) for pool in POOLS}

    async def task(pool):
        async with workflow:
            async with of_pool[pool]:
                child = await asyncio.create_subprocess_exec(*nap(context, log, pool))
                if await child.wait() != 0:
                    raise RuntimeError("a step failed")

    await asyncio.gather(*(task(pool) for pool in pools for _ in range(workers)))


def wait_for_lines(path, count, limit=120):
    until = time.monotonic() + limit
    while time.monotonic() < until:
        if os.path.exists(path):
            with open(path, encoding="ascii") as log:
                if sum(1 for _ in log) >= count:
                    return
        time.sleep(0.1)
    raise RuntimeError(f"the steps did not all run within {limit} s")


def share(path, workers):
    """Percent of the workers' time in which a step ran, while both pools had steps left to start."""
    with open(path, encoding="ascii") as log:
        ran = [(pool, int(began), int(ended)) for pool, began, ended in map(str.split, log)]
    if len(ran) != workers * STEPS:
        raise RuntimeError(f"{len(ran)} steps ran instead of {workers * STEPS}")
    first = min(began for _, began, _ in ran)
    last = min(max(began for its, began, _ in ran if its == pool) for pool in POOLS)
    worked = sum(max(0, min(ended, last) - began) for _, began, ended in ran)
    return 100 * worked / (workers * (last - first))
