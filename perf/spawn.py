"""From a submit to a running child, and tasks a second, beside a bare posix_spawn loop.

Goals: submit → child running on an idle pool p50 ≤ 5 ms, p99 ≤ 20 ms; `/bin/true` tasks/s ≥ 0.8 of
the bare loop, and ≥ 0.8 of itself with 1 GB in the server.
"""
import os
import shutil
import statistics
import subprocess
import time

from lib import load, machine
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, make_repositories

WORKERS = 8


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        filled = {
            "LD_PRELOAD": load.program(context.build, "fill_memory.so"),
            "FILL_MEMORY_MB": "64" if context.quick else "1024",
        }
        with Mahavishnu(context.binary, scratch, repos) as server, Mahavishnu(
            context.binary, scratch, repos, env=filled
        ) as full:
            latency(context, report, server)
            filled_mb = report.add("RSS of the filled server", machine.rss_mb(full.pid), "MB")
            if filled_mb < int(filled["FILL_MEMORY_MB"]):
                raise RuntimeError("the server was not filled: its memory says nothing")
            throughput(context, report, server, full)


def latency(context, report, server):
    """One task at a time; the child tells its own start on the clock the client also reads."""
    client = server.client()
    child = load.program(context.build, "print_clock")
    client.call("pool_spawn", name="latency", max_workers=2, min_workers=2)
    started, whole = [], []
    for turn in range(20 if context.quick else 520):
        done = client.call("task_submit", argv=[child], pool="latency", wait_ms=20000)
        answered = time.monotonic_ns()
        if done["state"] != "completed":
            raise RuntimeError(f"the child failed: {done}")
        if turn >= (2 if context.quick else 20):
            started.append((int(done["result"]["text"]) - client.sent_ns) / 1e6)
            whole.append((answered - client.sent_ns) / 1e6)
    client.close()
    started.sort()
    whole.sort()
    report.add("submit → child running, p50", statistics.median(started), "ms", at_most=5)
    report.add(
        "submit → child running, p99", started[int(0.99 * (len(started) - 1))], "ms", at_most=20
    )
    report.add("submit → answer with the result, p50", statistics.median(whole), "ms")
    report.add("submit → answer with the result, p99", whole[int(0.99 * (len(whole) - 1))], "ms")


def throughput(context, report, server, full):
    count = 200 if context.quick else 4000
    rounds = 1 if context.quick else context.rounds
    true = shutil.which("true")
    bare = [load.program(context.build, "bare_spawn"), str(count), str(WORKERS), true]
    sides = {
        "bare": lambda: load.run(bare)["per_second"],
        "tasks": lambda: tasks_per_second(server, true, count),
        "full": lambda: tasks_per_second(full, true, count),
        "xargs": lambda: fed(["xargs", "-P4", "-n1", true], count),
    }
    if shutil.which("parallel"):
        sides["parallel"] = lambda: fed(["parallel", "-j4", "-N1", true], count // 4)
    else:
        report.note("skipped GNU parallel: not installed (apt-get install parallel)")
    found = interleave(sides, rounds)
    report.add(f"bare posix_spawn, {WORKERS} in flight: children/s", found["bare"])
    report.add(f"task_batch of /bin/true, {WORKERS} workers: tasks/s", found["tasks"])
    report.add("xargs -P4: children/s", found["xargs"])
    if "parallel" in found:
        report.add("GNU parallel -j4: children/s", found["parallel"])
    report.add("tasks / bare posix_spawn", ratios(found["tasks"], found["bare"]), at_least=0.8)
    report.add(
        "tasks with 1 GB in the server / without",
        ratios(found["full"], found["tasks"]),
        at_least=None if context.quick else 0.8,
    )
    report.add("tasks / xargs -P4", ratios(found["tasks"], found["xargs"]))


def tasks_per_second(server, true, count, before_first=None):
    """From the first batch sent to the last task ended, all of them successful."""
    client = server.client()
    client.call(
        "pool_spawn", name="batch", max_workers=WORKERS, min_workers=WORKERS, max_queue=100000
    )
    time.sleep(0.2)
    if before_first:
        before_first()
    began = time.monotonic()
    batches = []
    for first in range(0, count, 1000):
        tasks = [{"argv": [true], "pool": "batch"}] * min(1000, count - first)
        batches.append(client.call("task_batch", tasks=tasks)["batch"])
    for batch in batches:
        while True:
            answer = client.call("task_get", batch=batch, wait_ms=45000)
            ended, failed = ended_of(answer)
            if failed:
                raise RuntimeError(f"tasks of a batch failed: {answer}")
            if ended:
                break
    took = time.monotonic() - began
    client.close()
    return count / took


def ended_of(answer):
    """Whether every task of a batch answer has ended, and whether any not well."""
    counts = answer["counts"]
    failed = sum(counts.get(state, 0) for state in ("failed", "cancelled", "dead"))
    waiting = sum(counts.get(state, 0) for state in ("queued", "running", "retry_wait"))
    return waiting == 0, failed


def fed(command, count):
    """xargs and parallel, one /bin/true for every line of input."""
    lines = "\n".join(str(number) for number in range(count)) + "\n"
    began = time.monotonic()
    subprocess.run(
        command,
        input=lines,
        text=True,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PARALLEL_HOME": "/tmp"},
    )
    return count / (time.monotonic() - began)
