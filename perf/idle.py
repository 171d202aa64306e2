"""What a server does to others and to the machine while nothing changes.

Goals: 0 requests to the memory server and to OpenSearch, ≤ 0.1 % of a core. The server has both, has sent
them what tasks left, and is left alone for a minute with one client connected (`--rounds 5` and more: for five
minutes, as the goal is put). Beside it the old way: 60 s polling of every pool, counted, not run.
"""
import os
import time

from lib.server import Mahavishnu, make_repositories
from lib.slow_server import SlowServer
from memory_sync import wait_until_settled

SECONDS, LONG_SECONDS = 60, 300
TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as text:
        fields = text.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def run(context, report):
    seconds = 5 if context.quick else LONG_SECONDS if context.rounds >= 5 else SECONDS
    with context.scratch() as scratch, SlowServer(context, 5) as buddy, SlowServer(context, 5) as logs:
        _, repos = make_repositories(scratch, 3)
        others = {"the memory server": buddy, "OpenSearch": logs}
        env = {"MAHAVISHNU_SESSION_BUDDY_URL": buddy.url + "/mcp", "MAHAVISHNU_OPENSEARCH_URL": logs.url}
        with Mahavishnu(context.binary, scratch, repos, env=env) as server:
            client = server.client()
            tasks = [{"command": "true"}] * 20
            client.call("task_batch", tasks=tasks, wait_ms=45000)
            wait_until_settled(server)
            time.sleep(3)  # the index of memories and the write-ahead log come to rest
            before = {name: one.get("/figures") for name, one in others.items()}
            began = cpu_seconds(server.pid)
            time.sleep(seconds)
            spent = cpu_seconds(server.pid) - began
            after = {name: one.get("/figures") for name, one in others.items()}
            client.close()
    for name in others:
        if not before[name]["requests"]:
            raise RuntimeError(f"{name} was sent nothing at all")
        report.add(
            f"requests to {name} in {seconds} s",
            after[name]["requests"] - before[name]["requests"],
            at_most=0,
        )
    report.add(f"CPU of the server in {seconds} s", 100 * spent / seconds, "%", at_most=0.1)
    report.note(f"clock ticks of {1000 / TICK:g} ms: what takes less is not seen")
