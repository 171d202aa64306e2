"""What clocking every call costs: two servers of the same binary side by side, one with
`metrics.calls: off`, asked in turn.

Goal: ≤ 3 % of `rpc`, by the CPU time of the control loop a request (a request's time on the wire is mostly the
load program's and the kernel's, and moves more with the machine's neighbours than by this). The
servers take turns a few times a second, and the middle of all turns counts.
"""
import json
import statistics

from lib import load, machine
from lib.client import modern_call
from lib.server import Mahavishnu, make_repositories

CONNECTIONS = 16
REQUESTS = 4000  # a turn


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 10)
        off = {"MAHAVISHNU_METRICS_CALLS": "off"}
        with Mahavishnu(context.binary, scratch, repos) as clocked:
            with Mahavishnu(context.binary, scratch, repos, env=off) as unclocked:
                check(clocked, unclocked)
                Turns(context, report, scratch, clocked, unclocked).run()


def check(clocked, unclocked):
    """The difference is what it is said to be."""
    for server, wanted in ((clocked, True), (unclocked, False)):
        client = server.client()
        client.call("repo_list")
        latency = client.call("metrics_get", names=["tools/call", "http"])["latency"]
        if bool(latency) != wanted:
            raise RuntimeError(f"clocked: {wanted}, but metrics_get tells of {list(latency)}")


class Turns:
    def __init__(self, context, report, scratch, clocked, unclocked):
        self.context, self.report, self.scratch = context, report, scratch
        self.servers = {"on": clocked, "off": unclocked}
        self.tasks = {name: new_task(server) for name, server in self.servers.items()}

    def run(self):
        for tool in ("repo_list", "task_get"):
            self.measure(tool)

    def measure(self, tool):
        costs = {name: [] for name in self.servers}
        for turn in range(4 if self.context.quick else 40 * self.context.rounds):
            names = list(self.servers)
            for name in names if turn % 2 else reversed(names):
                costs[name].append(self.cost(name, tool))
        for name, what in (("off", "not clocked"), ("on", "clocked")):
            middle = statistics.median(costs[name])
            self.report.add(f"{tool}, {what}: CPU of the loop a request", middle, "µs")
        more = [100 * (on / off - 1) for on, off in zip(costs["on"], costs["off"])]
        self.report.add(f"{tool}: clocking costs", statistics.median(more), "%", at_most=3)
        low, _, high = statistics.quantiles(more, n=4)
        self.report.note(f"{tool}: half of the {len(more)} turns gave {low:.1f} to {high:.1f} %")

    def cost(self, name, tool):
        server = self.servers[name]
        arguments = {"task": self.tasks[name]} if tool == "task_get" else {}
        body, headers = modern_call(tool, arguments)
        headers["Authorization"] = f"Bearer {server.token}"
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        before = machine.loop_seconds(server.pid)
        found = load.run(
            [
                load.program(self.context.build, "http_load"),
                str(server.port),
                "/mcp",
                self.scratch.file(f"{name}-{tool}.headers", lines),
                self.scratch.file(f"{name}-{tool}.body", json.dumps(body) + "\n"),
                str(CONNECTIONS),
                str(REQUESTS),
            ]
        )
        if found["statuses"] != {"200": REQUESTS}:
            raise RuntimeError(f"{tool} was refused: {found}")
        return 1e6 * (machine.loop_seconds(server.pid) - before) / REQUESTS


def new_task(server):
    client = server.client()
    return client.call("task_submit", argv=["/bin/true"], wait_ms=10000)["task"]
