"""How fast memories reach a memory server that takes 5, 100 or 200 ms for each, and what tasks lose.

Goals: from the first call to the last answer ≤ 1.15 of ceil(items / connections) × latency, with 100 and
10,000 items on 20 connections; tasks a second while it runs ≥ 0.95 of a server without one, whether the
memories are those of the tasks themselves or more wait than can be sent beside them. Beside it the old
way: 100 items one after another (old_sync.py).

The items wait in the outbox when the server starts; its handshake comes before the first call and is
told by itself: it happens once in a server's life.
"""
import contextlib
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import time

from lib import load
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, end, make_repositories
from lib.slow_server import SlowServer
from spawn import WORKERS, tasks_per_second

CONNECTIONS = 20
LATENCIES = (5, 100, 200)  # ms
FEW, MANY = 100, 10_000
FEW_ROUNDS = 15  # of what is over in a moment


def run(context, report):
    latencies = LATENCIES[:1] if context.quick else LATENCIES
    throughput(context, report)
    throughput_behind_an_outage(context, report)
    for items in (FEW,) if context.quick else (FEW, MANY):
        for latency in latencies:
            catch_up(context, report, items, latency)
    for latency in latencies:
        old_way(context, report, latency)


def put_in_outbox(data, count, age_s=0):
    """So many memories of 1 KB that no memory server has seen."""
    journal = sqlite3.connect(os.path.join(data, "journal.db"))
    with journal:
        (last,) = journal.execute("SELECT coalesce(max(seq),0) FROM memories").fetchone()
        now = int((time.time() - age_s) * 1000)
        for seq in range(last + 1, last + 1 + count):
            journal.execute(
                "INSERT INTO memories(seq,id,time,content) VALUES(?,?,?,?)",
                (seq, os.urandom(16), now, f"memory {seq}\n" + "x" * 1000),
            )
            journal.execute("INSERT INTO outbox(seq) VALUES(?)", (seq,))
    journal.close()


def put_back(data, count):
    """The oldest memories into the outbox again: the server has indexed them, only sending is left."""
    journal = sqlite3.connect(os.path.join(data, "journal.db"))
    with journal:
        journal.execute(
            "INSERT INTO outbox(seq) SELECT seq FROM memories ORDER BY seq LIMIT ?", (count,)
        )
    journal.close()


def catch_up(context, report, items, latency):
    least = math.ceil(items / CONNECTIONS) * latency / 1000
    rounds = 1 if context.quick or least > 10 else context.rounds
    if items == FEW and not context.quick:
        rounds = max(rounds, FEW_ROUNDS)
    took, handshakes, at_once = [], [], 0
    with context.scratch() as scratch, SlowServer(context, latency) as buddy:
        _, repos = make_repositories(scratch, 1)
        env = {"MAHAVISHNU_SESSION_BUDDY_URL": buddy.url + "/mcp"}
        with Mahavishnu(context.binary, scratch, repos, env=env) as server:
            for _ in range(rounds):
                end(server.process)
                put_in_outbox(server.data, items)
                buddy.get("/reset")
                server.start()
                until = time.monotonic() + 60 + 3 * least
                figures = buddy.get("/figures")
                while figures["stores"] < items:
                    if time.monotonic() > until:
                        raise RuntimeError(f"{figures['stores']} of {items} items arrived")
                    time.sleep(0.05 if items == FEW else 0.5)
                    figures = buddy.get("/figures")
                took.append(figures["seconds"])
                handshakes.append(figures["handshake_s"])
                at_once = max(at_once, figures["most_at_once"])
                wait_until_settled(server)
    name = f"{items:,} items at {latency} ms"
    report.add(f"{name}: first call to last answer", took, "s")
    report.add(
        f"{name}: of ceil(items/{CONNECTIONS}) × latency ({least:g} s)",
        [one / least for one in took],
        at_most=1.15,
    )
    report.add(f"{name}: calls at once, at most", at_once, at_most=CONNECTIONS)
    if items == FEW:
        report.add(f"handshake before it, {latency} ms a call", handshakes, "s")


def wait_until_settled(server):
    """Until the outcomes are on disk: the next round is not to send them again."""
    client = server.client()
    while client.call("memory_sync", wait_ms=45000)["outbox"]:
        pass
    client.close()


def old_way(context, report, latency):
    with SlowServer(context, latency) as buddy:
        command = [
            sys.executable,
            os.path.join(context.here, "old_sync.py"),
            f"{buddy.url}/mcp/tools/call",
            str(FEW),
        ]
        found = load.run(command)
    report.add(f"{FEW} items at {latency} ms the old way ({found['client']})", found["seconds"], "s")


@contextlib.contextmanager
def two_servers(context):
    """A memory server, a server that sends to it, and one that has none."""
    with context.scratch() as scratch, SlowServer(context, LATENCIES[0]) as buddy:
        _, repos = make_repositories(scratch, 3)
        env = {"MAHAVISHNU_SESSION_BUDDY_URL": buddy.url + "/mcp"}
        with Mahavishnu(context.binary, scratch, repos, env=env) as server, Mahavishnu(
            context.binary, scratch, repos
        ) as without:
            yield buddy, server, without


def throughput(context, report):
    """Tasks while the memories of those that ended are sent, beside a server that sends none."""
    count = 200 if context.quick else 4000
    true = shutil.which("true")
    with two_servers(context) as (buddy, server, without):
        shares = []

        def sending():
            before = buddy.get("/figures")["stores"]
            figure = tasks_per_second(server, true, count)
            shares.append(100 * (buddy.get("/figures")["stores"] - before) / count)
            if shares[-1] == 0 and not context.quick:
                raise RuntimeError("no memory was sent beside the tasks: this measures nothing")
            wait_until_settled(server)  # the other side's turn begins after it
            return figure

        found = interleave(
            {"with": sending, "without": lambda: tasks_per_second(without, true, count)},
            1 if context.quick else max(context.rounds, 5),
            warm_up=True,
        )
    report.add(f"/bin/true, {WORKERS} workers, while memories are sent: tasks/s", found["with"])
    report.add(f"/bin/true, {WORKERS} workers, no memory server: tasks/s", found["without"])
    report.add("memories taken before the last task ended", shares, "%")
    report.add(
        "tasks while memories are sent / without",
        ratios(found["with"], found["without"]),
        at_least=None if context.quick else 0.95,
    )


def throughput_behind_an_outage(context, report):
    """Tasks while old memories wait, more than can be sent beside them, so that sending never ends: as
    after an outage, or beside work that lasts. Both servers have the memories, and start before each
    round."""
    count = 200 if context.quick else 4000
    true = shutil.which("true")
    with two_servers(context) as (buddy, server, without):
        for one in (server, without):
            end(one.process)
            put_in_outbox(one.data, MANY, age_s=600)
            one.start()
        wait_until_settled(server)
        sent = []

        def behind():
            end(server.process)
            put_back(server.data, MANY)
            buddy.get("/reset")
            server.start()
            before = []
            figure = tasks_per_second(
                server, true, count, lambda: before.append(buddy.get("/figures")["stores"])
            )
            after = buddy.get("/figures")["stores"]
            if not before[0] < after < MANY and not context.quick:
                raise RuntimeError(f"{before[0]}, then {after} of {MANY} sent: this measures nothing")
            sent.append((after - before[0]) * figure / count)
            wait_until_settled(server)
            return figure

        def alone():
            end(without.process)
            without.start()
            return tasks_per_second(without, true, count)

        found = interleave(
            {"behind": behind, "alone": alone},
            1 if context.quick else max(context.rounds, 5),
            warm_up=True,
        )
    report.add("memories of an outage sent while tasks run", sent, "/s")
    report.add(
        "tasks while an outage is made up for / without",
        ratios(found["behind"], found["alone"]),
        at_least=None if context.quick else 0.95,
    )
