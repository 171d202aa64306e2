"""How soon the server answers, and what it weighs while nobody asks.

Goals: from exec to the first answer on stdio ≤ 100 ms with an empty data directory; idle RSS
≤ 25 MB.
"""
import subprocess
import time

from lib import machine
from lib.server import Mahavishnu, make_repositories

QUESTION = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n'


def run(context, report):
    with context.scratch() as scratch:
        _, repos = make_repositories(scratch, 3)
        config = scratch.file("config.yaml", "")
        starts = 3 if context.quick else 20
        first_answer(context, report, scratch, repos, config, starts)
        with Mahavishnu(context.binary, scratch, repos) as server:
            client = server.client()
            client.call("repo_list")
            client.call("task_submit", argv=["/bin/true"], wait_ms=20000)
            client.close()
            time.sleep(0.5 if context.quick else 3)
            report.add("idle RSS of the server", machine.rss_mb(server.pid), "MB", at_most=25)
            report.add("its heap and stacks (RssAnon)", machine.anonymous_mb(server.pid), "MB")
            report.add(
                "server and its helper processes (PSS)", machine.tree_pss_mb(server.pid), "MB"
            )
            idle(report, server, 1 if context.quick else 10)


def first_answer(context, report, scratch, repos, config, starts):
    """On an empty data directory, and on one that was used before."""

    def once(data):
        began = time.monotonic()
        process = subprocess.Popen(
            [
                context.binary,
                "serve",
                "--stdio",
                "--in-process",
                "--config",
                config,
                "--repos",
                repos,
                "--data",
                data,
                "--log-level",
                "warn",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        process.stdin.write(QUESTION)
        process.stdin.flush()
        answer = process.stdout.readline()
        took = 1000 * (time.monotonic() - began)
        process.communicate()
        if b'"tools"' not in answer:
            raise RuntimeError(f"tools/list on stdio answered {answer[:300]!r}")
        return took

    fresh = [once(scratch.folder(f"cold-{number}")) for number in range(starts)]
    again = [once(scratch.folder("cold-0")) for _ in range(starts)]
    report.add("cold start to the first stdio answer, new data directory", fresh, "ms", at_most=100)
    report.add(
        "cold start to the first stdio answer, used data directory", again, "ms", at_most=100
    )


def idle(report, server, seconds):
    began, spent = time.monotonic(), machine.cpu_seconds(server.pid)
    time.sleep(seconds)
    share = 100 * (machine.cpu_seconds(server.pid) - spent) / (time.monotonic() - began)
    report.add("CPU of the idle server", share, "% of a core")
