"""Durable submits over HTTP beside a bare SQLite loop on the same disk.

Goals: task_submit with 32 clients ≥ 0.25 of the loop at 32 rows a transaction; p99 ≤ 50 ms with
100 clients; batches of 1,000 from 4 clients ≥ 0.35 of the loop at 1,000. The pool is paused, so
that nothing runs; only answers with status 200 count, and at the end the server must have as many tasks queued.
"""
import json
import os
import time

from lib import load, machine
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, make_repositories

ROW_BYTES = 400


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        with Mahavishnu(context.binary, scratch, repos) as server:
            Submits(context, report, scratch, server).run()


class Submits:
    def __init__(self, context, report, scratch, server):
        self.context, self.report, self.scratch, self.server = context, report, scratch, server
        self.headers = server.headers_file(scratch)
        self.accepted = 0
        self.client = server.client()
        self.client.call("pool_spawn", name="perf", max_workers=1, max_queue=900000)
        self.client.call("pool_scale", pool="perf", paused=True)
        self.single = scratch.file("single", body("task_submit", task()))
        self.batch = scratch.file("batch", body("task_batch", {"tasks": [task()] * 1000}))

    def run(self):
        quick, rounds = self.context.quick, 1 if self.context.quick else self.context.rounds
        count = 1000 if quick else 20000
        spent = machine.cpu_seconds(self.server.pid)
        found = interleave(
            {
                "submit32": lambda: self.load(self.single, 32, count),
                "sqlite32": lambda: self.sqlite(count * 2, 32),
                "submit1": lambda: self.load(self.single, 1, count // 20),
                "sqlite1": lambda: self.sqlite(count // 5, 1),
            },
            rounds,
        )
        self.told(
            "task_submit, 32 clients",
            found["submit32"],
            found["sqlite32"],
            "bare SQLite, 32 a transaction",
            0.25,
        )
        self.told(
            "task_submit, 1 client",
            found["submit1"],
            found["sqlite1"],
            "bare SQLite, 1 a transaction",
            None,
        )
        requests = sum(one["requests"] for name in ("submit32", "submit1") for one in found[name])
        self.report.add(
            "server CPU a submit",
            1e6 * (machine.cpu_seconds(self.server.pid) - spent) / requests,
            "µs",
        )
        crowd = [self.load(self.single, 100, count) for _ in range(rounds)]
        self.report.add("task_submit, 100 clients: tasks/s", [one["per_second"] for one in crowd])
        self.report.add(
            "task_submit, 100 clients: p99",
            [one["latency"]["p99_ms"] for one in crowd],
            "ms",
            at_most=50,
        )
        self.batches(2 if quick else 20, rounds)
        self.check()

    def batches(self, count, rounds):
        """One client waits for each answer, as the bare loop never does; four keep the disk busy."""
        found = interleave(
            {
                "one": lambda: self.load(self.batch, 1, count, 1000),
                "four": lambda: self.load(self.batch, 4, count, 1000),
                "sqlite": lambda: self.sqlite(count * 1000, 1000),
            },
            rounds,
        )
        for clients, side, goal in ((4, "four", 0.35), (1, "one", None)):
            for one in found[side]:
                one["per_second"] *= 1000
            self.told(
                f"task_batch of 1,000, {clients} client{'s' if clients > 1 else ''}",
                found[side],
                found["sqlite"],
                "bare SQLite, 1,000 a transaction",
                goal,
            )

    def load(self, bodies, clients, count, tasks_each=1):
        result = load.run(
            [
                load.program(self.context.build, "http_load"),
                str(self.server.port),
                "/tools/call",
                self.headers,
                bodies,
                str(clients),
                str(count),
            ]
        )
        if result["statuses"] != {"200": count}:
            raise RuntimeError(f"submits were refused: {result}")
        self.accepted += count * tasks_each
        return result

    def sqlite(self, rows, per_transaction):
        file = os.path.join(self.scratch.path, f"bare-{time.monotonic_ns()}.db")
        return load.run(
            [
                load.program(self.context.build, "bare_sqlite"),
                file,
                str(rows),
                str(per_transaction),
                str(ROW_BYTES),
            ]
        )

    def told(self, name, ours, bare, bare_name, goal):
        speed, floor = ([one["per_second"] for one in side] for side in (ours, bare))
        self.report.add(f"{name}: tasks/s", speed)
        self.report.add(f"{name}: p50", [one["latency"]["p50_ms"] for one in ours], "ms")
        self.report.add(f"{name}: p99", [one["latency"]["p99_ms"] for one in ours], "ms")
        self.report.add(f"{bare_name}: rows/s", floor)
        self.report.add(f"{name} / {bare_name}", ratios(speed, floor), at_least=goal)

    def check(self):
        """Every accepted task is there, and what they weigh in memory and on disk."""
        pool = next(one for one in self.client.call("pool_list")["items"] if one["name"] == "perf")
        if pool["queued"] != self.accepted:
            raise RuntimeError(f"{self.accepted} tasks were accepted, {pool['queued']} are queued")
        self.report.add("tasks queued at the end", self.accepted)
        self.report.add("server RSS with them", machine.rss_mb(self.server.pid), "MB")
        disk = sum(
            entry.stat().st_size for entry in os.scandir(self.server.data) if entry.is_file()
        )
        self.report.add("data directory, bytes a task", disk / self.accepted, "bytes")


def task():
    """One row each: labels would be rows of their own, which the bare loop does not write."""
    return {
        "argv": ["/bin/true"],
        "pool": "perf",
        "env": {"BUILD_ID": "0123456789abcdef", "BRANCH": "main"},
    }


def body(tool, arguments):
    return json.dumps({"name": tool, "arguments": arguments}) + "\n"
