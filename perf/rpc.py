"""tools/call over HTTP and stdio, beside nginx, the TypeScript SDK and a loop of fixed bytes.

Goals: requests/s at 128 connections ≥ 0.60 of nginx `return 200` and ≥ 40x the SDK, p99 ≤ 1.5x
nginx's; 5,000 idle connections ≤ 70 MB and ≤ 1 % of a core; stdio at 128 in flight ≥ 0.30 of the
fixed loop.
"""
import contextlib
import json
import os
import statistics
import subprocess
import time

from lib import load, machine
from lib.client import modern_call
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, Missing, Nginx, SdkServer, make_repositories

TOOLS = ("repo_list", "task_get")


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        http(context, report, scratch, repos)
        stdio(context, report, scratch, repos)


def http(context, report, scratch, repos):
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Mahavishnu(context.binary, scratch, repos))
        calls = {tool: prepared(scratch, server, tool) for tool in TOOLS}
        answer_bytes = len(calls["repo_list"]["answer"])
        report.note(
            f"answers: repo_list {answer_bytes} bytes, task_get {len(calls['task_get']['answer'])}"
            f" bytes of body; nginx answers {answer_bytes}"
        )
        nginx = beside(stack, report, lambda: Nginx(scratch, answer_bytes, context.cores))
        result = json.loads(calls["repo_list"]["answer"])["result"]["structuredContent"]
        sdk = beside(
            stack,
            report,
            lambda: SdkServer(
                os.path.join(context.here, "sdk_server"),
                os.path.join(context.build, "perf"),
                scratch.file("result.json", json.dumps(result)),
                server.token,
            ),
        )
        for connections in (1, 16) if context.quick else (1, 16, 128, 1000):
            at_connections(context, report, server, calls, nginx, sdk, connections)
    with Mahavishnu(context.binary, scratch, repos) as server:
        idle_connections(context, report, scratch, server)


def beside(stack, report, make):
    """A baseline, or None and the reason in the notes."""
    try:
        return stack.enter_context(make())
    except Missing as reason:
        report.note(f"skipped a baseline: {reason}")
        return None


def prepared(scratch, server, tool):
    """The tool's request, tried once: an error must never be what is measured."""
    client = server.client()
    arguments = {}
    if tool == "task_get":
        done = client.call("task_submit", argv=["/bin/true"], wait_ms=20000)
        arguments = {"task": done["task"]}
    body, headers = modern_call(tool, arguments)
    status, answer = client.post("/mcp", body, headers)
    client.close()
    result = json.loads(answer).get("result", {})
    if status != 200 or result.get("isError") or "structuredContent" not in result:
        raise RuntimeError(f"{tool} answered {status} {answer[:500]!r}")
    headers = {
        **headers,
        "Content-Type": "application/json",
        "Authorization": f"Bearer {server.token}",
    }
    return {
        "answer": answer,
        "file": load.request_file(scratch, f"{tool}.request", headers, json.dumps(body)),
    }


def at_connections(context, report, server, calls, nginx, sdk, connections):
    seconds = 1 if context.quick else 2
    cpu = {"spent": 0.0, "requests": 0}

    def measured(port, call, pid=None):
        before = machine.cpu_seconds(pid) if pid else 0
        result = load.wrk(context.here, calls[call]["file"], port, "/mcp", connections, seconds)
        if result["bad_statuses"] or result["socket_errors"]:
            report.note(
                f"{call} on port of {connections} connections: {result['bad_statuses']} bad "
                f"statuses, {result['socket_errors']} socket errors"
            )
        if pid:
            cpu["spent"] += machine.cpu_seconds(pid) - before
            cpu["requests"] += result["requests"]
        return result

    sides = {tool: lambda tool=tool: measured(server.port, tool, server.pid) for tool in TOOLS}
    if nginx:
        sides["nginx"] = lambda: measured(nginx.port, "repo_list")
    sdk = sdk if connections <= 128 else None  # with more it answers for minutes after wrk has gone
    if sdk:
        sides["sdk"] = lambda: measured(sdk.port, "repo_list")
    found = interleave(sides, 1 if context.quick else context.rounds, warm_up=not context.quick)
    at = f"at {connections} connection{'s' if connections > 1 else ''}"
    goal = connections == 128
    speed = {side: [result["per_second"] for result in results] for side, results in found.items()}
    tail = {side: [result["p99_ms"] for result in results] for side, results in found.items()}
    for side in found:
        report.add(f"{side}: requests/s {at}", speed[side])
        report.add(f"{side}: p50 {at}", [result["p50_ms"] for result in found[side]], "ms")
        report.add(f"{side}: p99 {at}", tail[side], "ms")
    for tool in TOOLS:
        if nginx:
            report.add(
                f"{tool} / nginx, requests/s {at}",
                ratios(speed[tool], speed["nginx"]),
                at_least=0.6 if goal else None,
            )
            report.add(
                f"{tool} / nginx, p99 {at}",
                ratios(tail[tool], tail["nginx"]),
                at_most=1.5 if goal else None,
            )
        if sdk:
            report.add(
                f"{tool} / TypeScript SDK, requests/s {at}",
                ratios(speed[tool], speed["sdk"]),
                at_least=40 if goal else None,
            )
    report.add(f"server CPU a request {at}", 1e6 * cpu["spent"] / cpu["requests"], "µs")
    report.add(f"server RSS {at}", machine.rss_mb(server.pid), "MB")


def idle_connections(context, report, scratch, server):
    wanted = 200 if context.quick else 5000
    seconds = 1 if context.quick else 10
    headers = server.headers_file(scratch)
    body = scratch.file("idle.body", json.dumps({"name": "repo_list", "arguments": {}}))
    before = machine.rss_mb(server.pid)
    holder = subprocess.Popen(
        [
            load.program(context.build, "hold_connections"),
            str(server.port),
            "/tools/call",
            headers,
            body,
            str(wanted),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        if holder.stdout.readline().strip() != "ready":
            raise RuntimeError(f"idle connections: {holder.stderr.read().strip()}")
        began, spent = time.monotonic(), machine.cpu_seconds(server.pid)
        time.sleep(seconds)
        share = 100 * (machine.cpu_seconds(server.pid) - spent) / (time.monotonic() - began)
        rss = machine.rss_mb(server.pid)
    finally:
        rest, _ = holder.communicate()
    goals = not context.quick
    report.add(f"RSS with {wanted:,} idle connections", rss, "MB", at_most=70 if goals else None)
    report.add("memory an idle connection", (rss - before) * 1024 / wanted, "KB")
    report.add(
        f"CPU with {wanted:,} idle connections", share, "% of a core", at_most=1 if goals else None
    )
    if "lost" in rest:
        report.note("some of the idle connections were closed by the server meanwhile")


def stdio(context, report, scratch, repos):
    """The fixed loop gets an answer of exactly the size the server gives."""
    body, _ = modern_call("repo_list", {}, "@ID@")
    request = scratch.file("stdio.request", json.dumps(body).replace('"@ID@"', "@ID@"))
    config = scratch.file("config.yaml", "")

    def served():
        return [
            context.binary,
            "serve",
            "--stdio",
            "--in-process",
            "--config",
            config,
            "--repos",
            repos,
            "--data",
            scratch.folder(f"stdio-{time.monotonic_ns()}"),
            "--log-level",
            "warn",
        ]

    asked = (
        subprocess.run(
            served(),
            input=json.dumps(body).replace('"@ID@"', "1") + "\n",
            text=True,
            capture_output=True,
            timeout=60,
            check=True,
        )
        .stdout.strip()
        .splitlines()
    )
    answer = json.loads(asked[0])
    if answer.get("id") != 1 or "structuredContent" not in answer.get("result", {}):
        raise RuntimeError(f"repo_list over stdio answered {asked[0][:500]}")
    fixed_answer = scratch.file("stdio.answer", asked[0].replace('"id":1', '"id":@ID@', 1) + "\n")
    driver = load.program(context.build, "stdio_load")
    fixed = [load.program(context.build, "fixed_stdio"), fixed_answer]
    for in_flight in (1, 128) if context.quick else (1, 16, 128):
        count = (2000 if in_flight == 1 else 20000) * (1 if context.quick else 5)
        sides = {
            "mahavishnu": lambda: load.run(
                [driver, request, str(in_flight), str(count), *served()]
            ),
            "fixed": lambda: load.run([driver, request, str(in_flight), str(count), *fixed]),
        }
        found = interleave(sides, 1 if context.quick else context.rounds)
        speed = {side: [one["per_second"] for one in results] for side, results in found.items()}
        for side in found:
            report.add(f"stdio, {side}: requests/s with {in_flight} in flight", speed[side])
        report.add(
            f"stdio / fixed loop with {in_flight} in flight",
            ratios(speed["mahavishnu"], speed["fixed"]),
            at_least=0.30 if in_flight == 128 else None,
        )
        report.add(
            f"stdio: p99 with {in_flight} in flight",
            statistics.median(one["latency"]["p99_ms"] for one in found["mahavishnu"]),
            "ms",
        )
