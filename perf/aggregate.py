"""What pool_monitor takes over many pools whose servers take 100 ms to answer.

Goals: within 1.2 of ceil(pools / max_in_flight) × 100 ms, with 10 and 100 pools behind HTTP and with
1,000 behind timers (the product's own survey in a program of ours: no sockets); asked again within
5 s, from the cache, ≤ 1 ms. Beside it the old way, one pool after another (old_pools.py).

A server's first answer costs its connection and finding out how it speaks as well; it is told by
itself, and later ones are what counts.
"""
import math
import os
import sys
import time

from lib import load
from lib.server import Mahavishnu, make_repositories
from lib.slow_server import SlowServer

LATENCY = 100  # ms
IN_FLIGHT = 20
KEPT = 5.1  # s: what was answered is too old


def run(context, report):
    for pools in (10,) if context.quick else (10, 100):
        over_http(context, report, pools)
    timed(context, report, 1000)


def least(pools):
    return math.ceil(pools / IN_FLIGHT) * LATENCY


def over_http(context, report, pools):
    rounds = 1 if context.quick else context.rounds
    with context.scratch() as scratch, SlowServer(context, LATENCY, "modern") as remote:
        _, repos = make_repositories(scratch, 1)
        with Mahavishnu(context.binary, scratch, repos) as server:
            client = server.client()
            names = [f"far{number}" for number in range(pools)]
            for name in names:
                client.call("pool_spawn", name=name, type="mcp", settings={"url": f"{remote.url}/mcp"})
            first, again, cached = [monitor(client, names)], [], []
            for _ in range(rounds):
                time.sleep(KEPT)
                again.append(monitor(client, names))
                cached += [monitor(client, names[:1]) for _ in range(50)]
        old = old_way(context, f"{remote.url}/mcp", pools)
    name = f"{pools} pools over HTTP"
    report.add(f"{name}: the first time", first, "ms")
    report.add(f"{name}: pool_monitor", again, "ms")
    ratio = [one / least(pools) for one in again]
    report.add(f"{name}: of ceil(pools/{IN_FLIGHT}) × {LATENCY} ms", ratio, at_most=1.2)
    report.add(f"{name}: one of them, from the cache", cached, "ms", at_most=1)
    report.add(f"{name}, the old way ({old['client']})", old["seconds"] * 1000, "ms")


def monitor(client, names):
    """Milliseconds until all of them were answered, page after page."""
    begun = time.perf_counter()
    left, cursor = set(names), {}
    while left:
        answer = client.call("pool_monitor", pools=names, limit=500, **cursor)
        for pool in answer["items"]:
            if "remote" not in pool:
                raise RuntimeError(f"a server did not answer: {pool}")
            left.discard(pool["name"])
        cursor = {"cursor": answer["next_cursor"]} if left else {}
    return (time.perf_counter() - begun) * 1000


def old_way(context, url, pools):
    command = [sys.executable, os.path.join(context.here, "old_pools.py"), url, str(pools)]
    return load.run(command)


def timed(context, report, pools):
    program = load.program(context.build, "aggregate")
    found = [load.run([program, str(pools), str(IN_FLIGHT), str(LATENCY)])
             for _ in range(1 if context.quick else context.rounds)]
    name = f"{pools:,} pools behind timers"
    report.add(f"{name}: all of them", [one["first_ms"] for one in found], "ms")
    ratio = [one["first_ms"] / least(pools) for one in found]
    report.add(f"{name}: of ceil(pools/{IN_FLIGHT}) × {LATENCY} ms", ratio, at_most=1.2)
    report.add(f"{name}: from the cache", [one["cached_us"] / 1000 for one in found], "ms", at_most=1)
