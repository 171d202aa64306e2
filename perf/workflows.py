"""Four loads of workflows, each one step (/bin/true) in one repository, taken in turn.

Goals for 1,000 workflows, 50 repositories, 50 workers: ≥ 0.7 of the bare spawn rate in the same
run, API p95 ≤ 20 ms for a client that calls workflow_get throughout, ≤ 50 MB per 1,000 workflows,
no errors.
"""
import collections
import json
import re
import shutil
import statistics
import subprocess
import threading
import time
from datetime import datetime

from lib import load, machine
from lib.rounds import sample
from lib.server import Mahavishnu, make_repositories

SCENARIOS = (
    (10, 5, 5),
    (100, 20, 20),
    (1000, 50, 50),
    (10000, 100, 100),
)  # workflows, repos, workers
SUBMITTERS = 24
PROBE_PERIOD_US = 10000
TOLD_TOGETHER = 16  # workflows the probe learns of at a time
WORKFLOW_ID = re.compile(rb'"workflow":"(wf_[0-9A-Z]+)"')


def run(context, report):
    for workflows, repositories, workers in SCENARIOS[:1] if context.quick else SCENARIOS:
        goal = workflows == 1000
        rounds = 1 if context.quick or workflows == 10000 else context.rounds
        found = []
        for _ in range(rounds):
            bare = bare_rate(context, min(max(workflows, 200), 2000))
            with context.scratch() as scratch:
                names, repos = make_repositories(scratch, repositories)
                with Mahavishnu(context.binary, scratch, repos) as server:
                    one = Scenario(context, scratch, server, names, workflows, workers).run()
            one["bare_ratio"] = one["per_second"] / bare
            one["bare"] = bare
            found.append(one)
        tell(report, found, f"{workflows:,}/{repositories}/{workers}", goal)


def bare_rate(context, count):
    return load.run(
        [load.program(context.build, "bare_spawn"), str(count), "8", shutil.which("true")]
    )["per_second"]


class Scenario:
    """One server, one load, from the first submit to the last end."""

    def __init__(self, context, scratch, server, names, workflows, workers):
        self.context, self.scratch, self.server = context, scratch, server
        self.names, self.workflows, self.workers = names, workflows, workers
        self.client = server.client()
        self.ids = []
        self.peak = {"rss": 0.0, "heap": 0.0}
        self.blocked = collections.Counter()
        self.over = threading.Event()

    def run(self):
        began = time.monotonic()
        self.client.call(
            "pool_spawn",
            name="perf",
            max_workers=self.workers,
            min_workers=self.workers,
            max_queue=100000,
        )
        spawn_ms = 1000 * (time.monotonic() - began)
        base = machine.rss_mb(self.server.pid)
        before = self.spent()
        sampler = threading.Thread(target=self.watch)
        sampler.start()
        try:
            submits, probe, ended = self.put_load()
            took = ended - submits["began"]
        finally:
            self.over.set()
            sampler.join()
        after = self.spent()
        read = self.read_back()
        return {
            "per_second": self.workflows / took,
            "spawn_ms": spawn_ms,
            "submits": submits,
            "probe": probe,
            **read,
            "rss": self.peak["rss"],
            "heap": self.peak["heap"],
            "mb_per_1000": 1000 * (self.peak["rss"] - base) / self.workflows,
            "blocked": self.blocked,
            "cpu_server_ms": 1000 * (after["server"] - before["server"]) / self.workflows,
            "cpu_machine_ms": 1000 * (after["machine"] - before["machine"]) / self.workflows,
            "net_kb": (after["net"] - before["net"]) / 1024 / self.workflows,
        }

    def spent(self):
        return {
            "server": machine.cpu_seconds(self.server.pid),
            "machine": machine.busy_seconds(),
            "net": machine.loopback_bytes(),
        }

    def put_load(self):
        """Submits everything, keeps the probe asking; ends, and says when, as nothing is left to run."""
        bodies = "".join(
            json.dumps(
                {
                    "name": "workflow_run",
                    "arguments": {
                        "over": {"repos": [name]},
                        "steps": [{"id": "true", "argv": [shutil.which("true")], "pool": "perf"}],
                    },
                }
            )
            + "\n"
            for name in self.names
        )
        headers = self.server.headers_file(self.scratch)
        probe = subprocess.Popen(
            [
                load.program(self.context.build, "http_probe"),
                str(self.server.port),
                "/tools/call",
                headers,
                str(PROBE_PERIOD_US),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        submit = subprocess.Popen(
            [
                load.program(self.context.build, "http_load"),
                str(self.server.port),
                "/tools/call",
                headers,
                self.scratch.file("bodies", bodies),
                str(SUBMITTERS),
                str(self.workflows),
                "/dev/stderr",
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for reply in submit.stderr:
            found = WORKFLOW_ID.search(reply)
            if not found:
                submit.kill()
                raise RuntimeError(f"workflow_run answered {reply[:500]!r}")
            self.ids.append(found.group(1).decode())
            probe.stdin.write(
                b'{"name":"workflow_get","arguments":{"workflow":"%s"}}\n' % found.group(1)
            )
            if len(self.ids) % TOLD_TOGETHER == 1:
                probe.stdin.flush()
        submits = json.loads(submit.communicate()[0])
        self.wait_until_ended()
        ended = time.monotonic()
        return submits, json.loads(probe.communicate()[0]), ended

    def wait_until_ended(self):
        """The last submitted first (its wait is one request), then the pool must be empty, and
        every end on disk, which is what listings show."""
        client = self.server.client()
        client.call("workflow_get", workflow=self.ids[-1], wait_ms=45000)
        until = time.monotonic() + 300
        while time.monotonic() < until:
            pool = next(one for one in client.call("pool_list")["items"] if one["name"] == "perf")
            if pool["queued"] == 0 and pool["running"] == 0 and not self.open_ones(client):
                client.close()
                return
            time.sleep(0.002)
        raise RuntimeError(f"the pool never became empty, or a workflow never ended: {pool}")

    @staticmethod
    def open_ones(client):
        """One workflow that has not ended, or none."""
        for state in ("running", "pending"):
            found = client.call("workflow_list", state=state, limit=1)["items"]
            if found:
                return found
        return []

    def watch(self):
        """Memory at its peak, and what a waiting task waits for, ten times a second."""
        client = self.server.client()
        while not self.over.wait(0.1):
            self.peak["rss"] = max(self.peak["rss"], machine.rss_mb(self.server.pid))
            self.peak["heap"] = max(self.peak["heap"], machine.anonymous_mb(self.server.pid))
            waiting = client.call("task_list", state="queued", limit=5)["items"]
            for task in sample(waiting, 1):
                self.blocked[
                    client.call("explain", task=task["task"]).get("blocked_by") or "nothing"
                ] += 1
        self.peak["rss"] = max(self.peak["rss"], machine.rss_mb(self.server.pid))
        self.peak["heap"] = max(self.peak["heap"], machine.anonymous_mb(self.server.pid))
        client.close()

    def read_back(self):
        """Durations and states as the server recorded them; queue and run time of a sample."""
        durations, states = [], collections.Counter()
        cursor = {}
        while True:
            page = self.client.call("workflow_list", limit=500, **cursor)
            for one in page["items"]:
                states[one["state"]] += 1
                durations.append(1000 * (moment(one["ended"]) - moment(one["created"])))
            if not page.get("next_cursor"):
                break
            cursor = {"cursor": page["next_cursor"]}
        queued, ran = 0.0, 0.0
        for identifier in sample(self.ids, 200):
            cell = self.client.call("workflow_get", workflow=identifier)["cells"][0]
            task = self.client.call("task_get", task=cell["task"])
            queued += task["queue_ms"]
            ran += task["run_ms"]
        if len(durations) != self.workflows:
            raise RuntimeError(
                f"{self.workflows} workflows were accepted, {len(durations)} are listed"
            )
        return {
            "durations": sorted(durations),
            "errors": self.workflows - states["completed"],
            "queue_share": queued / (queued + ran) if queued + ran else 0.0,
        }


def moment(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def tell(report, found, name, goal):
    def every(key):
        return [one[key] for one in found]

    def duration(share):
        return [one["durations"][int(share * (len(one["durations"]) - 1))] for one in found]

    report.add(f"{name}: workflows/s", every("per_second"))
    report.add(f"{name}: bare posix_spawn, 8 in flight, in the same run", every("bare"), "/s")
    report.add(
        f"{name}: workflows/s / bare posix_spawn",
        every("bare_ratio"),
        at_least=0.7 if goal else None,
    )
    for share in (50, 95, 99):
        report.add(f"{name}: workflow duration p{share}", duration(share / 100), "ms")
    report.add(
        f"{name}: workflow_run p95", [one["submits"]["latency"]["p95_ms"] for one in found], "ms"
    )
    report.add(
        f"{name}: workflow_get throughout, p50",
        [one["probe"]["latency"]["p50_ms"] for one in found],
        "ms",
    )
    report.add(
        f"{name}: workflow_get throughout, p95",
        [one["probe"]["latency"]["p95_ms"] for one in found],
        "ms",
        at_most=20 if goal else None,
    )
    report.add(f"{name}: pool spawn", every("spawn_ms"), "ms")
    report.add(f"{name}: peak RSS", every("rss"), "MB")
    report.add(f"{name}: peak heap and stacks", every("heap"), "MB")
    report.add(
        f"{name}: memory per 1,000 workflows",
        every("mb_per_1000"),
        "MB",
        at_most=50 if goal else None,
    )
    report.add(f"{name}: server CPU a workflow", every("cpu_server_ms"), "ms")
    report.add(f"{name}: CPU of everything a workflow", every("cpu_machine_ms"), "ms")
    report.add(f"{name}: loopback bytes a workflow", every("net_kb"), "KB")
    report.add(
        f"{name}: share of a task's life spent queued",
        [100 * one["queue_share"] for one in found],
        "%",
    )
    errors = [100 * one["errors"] / len(one["durations"]) for one in found]
    report.add(f"{name}: errors", statistics.mean(errors), "%", at_most=0)
    blocked = sum((one["blocked"] for one in found), collections.Counter())
    total = sum(blocked.values())
    if total:
        shares = ", ".join(
            f"{limit} {100 * count / total:.0f} %" for limit, count in blocked.most_common()
        )
        report.note(f"{name}: queued tasks waited for: {shares} ({total} samples)")
