"""Back after kill -9: 10,000 queued and 100 running tasks, from exec to ready and to all adopted.

Goal: ≤ 1 s for both. Ready is the first 200 of /readyz; adopted, that the server says 100 tasks run
and that they are the very processes that ran before. Nothing is done to help it: the journal is as
the killed server left it.
"""
import os
import shutil
import signal
import time

from lib import machine
from lib.server import Mahavishnu, make_repositories

QUEUED, RUNNING = 10000, 100
LOOK_S = 0.001
SLEEP = f"86400.{os.getpid()}"  # seconds; tells the sleepers of this run from all others


def run(context, report):
    queued, running = (500, 10) if context.quick else (QUEUED, RUNNING)
    found = []
    for _ in range(1 if context.quick else max(context.rounds, 5)):
        with context.scratch() as scratch:
            found.append(one_round(context, scratch, queued, running))

    def values(key):
        return [one[key] for one in found]

    what = f"{queued:,} queued, {running} running"
    report.add(f"{what}: exec to ready", values("ready"), "ms", at_most=1000)
    report.add(f"{what}: exec to all adopted", values("adopted"), "ms", at_most=1000)
    report.add("CPU of the server until then", values("cpu"), "ms")
    report.add("the same with nothing queued or running: exec to ready", values("empty"), "ms")


def one_round(context, scratch, queued, running):
    _, repos = make_repositories(scratch, 3)
    with Mahavishnu(context.binary, scratch, repos) as server:
        kill(server)
        empty = server.start(LOOK_S)
        client = server.client()
        try:
            fill(client, queued, running)
            before = sleepers()
            kill(server)
            began = time.monotonic()
            ready = server.start(LOOK_S)
            client = server.client()
            wait_for(client, running)
            adopted = 1000 * (time.monotonic() - began)
            cpu = 1000 * machine.cpu_seconds(server.pid)
            if sleepers() != before or len(before) != running:
                raise RuntimeError("what ran before the kill is not what runs after it")
            if perf_pool(client)["queued"] != queued:
                raise RuntimeError(f"{queued} tasks were queued before: {perf_pool(client)}")
        finally:
            client.call("pool_close", pool="perf", mode="now", wait_ms=45000)
    return {"ready": ready, "adopted": adopted, "empty": empty, "cpu": cpu}


def kill(server):
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


def fill(client, queued, running):
    client.call("pool_spawn", name="perf", max_workers=running, max_queue=queued + running)
    task = {"argv": [shutil.which("sleep"), SLEEP]}
    for batch in [running] + [1000] * (queued // 1000) + [queued % 1000]:
        if batch:
            client.call("task_batch", tasks=[task] * batch, defaults={"pool": "perf"})
    wait_for(client, running)
    until = time.monotonic() + 30
    while len(sleepers()) < running and time.monotonic() < until:
        time.sleep(0.01)


def perf_pool(client):
    return next(one for one in client.call("pool_list")["items"] if one["name"] == "perf")


def wait_for(client, running, limit=30):
    until = time.monotonic() + limit
    while perf_pool(client)["running"] != running:
        if time.monotonic() > until:
            raise RuntimeError(f"{running} tasks should run: {perf_pool(client)}")
        time.sleep(LOOK_S)


def sleepers():
    """The processes of this run's tasks."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as line:
                arguments = line.read().split(b"\0")
        except OSError:
            continue  # it ended between the two calls
        if arguments[1:2] == [SLEEP.encode()]:
            found.add(int(name))
    return found
