"""What it costs to ask who comes in, to keep his pace, to write down what he did, and to clock it.

Servers of the same binary side by side at 128 connections, each with one of these and one with all: a named
token with scope `run` (its hash, its scope), limits of requests and of a tool so high that nobody meets them,
metrics of calls, the audit. Goal: with all of it ≥ 0.85 of the requests/s without any (`--no-auth`). The
audit counts calls that read, and writes a row for each that changes something: a submit is timed as well.
"""
import contextlib
import json
import statistics
import subprocess

from lib import load, machine
from lib.client import modern_call
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, make_repositories
from submit import body as submit_body, task

CONNECTIONS, CLIENTS, SUBMITS = 128, 32, 20000
OFF = {"MAHAVISHNU_AUDIT_MAX_ROWS": "0", "MAHAVISHNU_METRICS_CALLS": "off"}
LIMITS = {"MAHAVISHNU_LIMITS_REQUESTS_PER_S": "1000000", "MAHAVISHNU_LIMITS_TOOLS": "repo_list=1000000"}
ALL = "all of them"


def run(context, report):
    with context.scratch() as scratch, contextlib.ExitStack() as stack:
        _, repos = make_repositories(scratch, 3)

        def server(env, *flags):
            return stack.enter_context(Mahavishnu(context.binary, scratch, repos, env=env, extra=flags))

        sides = {
            "nothing": server(OFF, "--no-auth"),
            "the first token": server(OFF),
            "a named token and limits": named(context, server({**OFF, **LIMITS})),
            "metrics": server({**OFF, "MAHAVISHNU_METRICS_CALLS": "on"}, "--no-auth"),
            "the audit": server({**OFF, "MAHAVISHNU_AUDIT_MAX_ROWS": "100000"}, "--no-auth"),
            ALL: named(context, server(LIMITS)),
        }
        reads(context, report, scratch, sides)
        submits(context, report, scratch, {name: sides[name] for name in ("nothing", "the audit", ALL)})


def named(context, server):
    """The server, its clients with a token that was made for them."""
    done = subprocess.run(
        [context.binary, "token", "new", "perf", "--scope", "run", "--data", server.data],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True,
    )
    server.admin, server.token = server.token, done.stdout.strip()
    return server


def credentials(server):
    return {"Authorization": f"Bearer {server.token}"} if server.token else {}


def reads(context, report, scratch, sides):
    requests = {}
    for number, (name, server) in enumerate(sides.items()):
        body, headers = modern_call("repo_list", {})
        headers = {**headers, "Content-Type": "application/json", **credentials(server)}
        requests[name] = load.request_file(scratch, f"{number}.request", headers, json.dumps(body))

    def measured(name):
        server, before = sides[name], machine.cpu_seconds(sides[name].pid)
        found = load.wrk(context.here, requests[name], server.port, "/mcp", CONNECTIONS, 1 if context.quick else 2)
        if found["bad_statuses"] or found["socket_errors"]:
            raise RuntimeError(f"{name}: {found['bad_statuses']} bad statuses")
        found["cpu"] = 1e6 * (machine.cpu_seconds(server.pid) - before) / found["requests"]
        return found

    tell(context, report, "repo_list", {name: lambda name=name: measured(name) for name in sides}, at_least=0.85)


def submits(context, report, scratch, sides):
    single = scratch.file("single", submit_body("task_submit", task()))
    headers = {}
    for number, (name, server) in enumerate(sides.items()):
        lines = "".join(f"{key}: {value}\r\n" for key, value in credentials(server).items())
        headers[name] = scratch.file(f"{number}.headers", lines)
        client = server.client(getattr(server, "admin", None))
        client.call("pool_spawn", name="perf", max_workers=1, max_queue=900000)
        client.call("pool_scale", pool="perf", paused=True)
        client.close()
    count = 1000 if context.quick else SUBMITS

    def measured(name):
        server, before = sides[name], machine.cpu_seconds(sides[name].pid)
        found = load.run([load.program(context.build, "http_load"), str(server.port), "/tools/call", headers[name],
                          single, str(CLIENTS), str(count)])
        if found["statuses"] != {"200": count}:
            raise RuntimeError(f"{name}: {found}")
        found["cpu"] = 1e6 * (machine.cpu_seconds(server.pid) - before) / count
        return found

    tell(context, report, "task_submit", {name: lambda name=name: measured(name) for name in sides})


def tell(context, report, tool, sides, at_least=None):
    rounds = 1 if context.quick else 2 * context.rounds + 1
    found = interleave(sides, rounds, warm_up=not context.quick)
    speed = {name: [one["per_second"] for one in results] for name, results in found.items()}
    for name, results in found.items():
        report.add(f"{tool}, {name}: requests/s", speed[name])
        report.add(f"{tool}, {name}: server CPU a request", statistics.median(one["cpu"] for one in results), "µs")
    for name in list(found)[1:]:
        goal = at_least if name == ALL and not context.quick else None
        report.add(f"{tool}, {name} / nothing, requests/s", ratios(speed[name], speed["nothing"]), at_least=goal)
