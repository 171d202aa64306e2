"""What HTTPS costs a call, beside what it costs nginx: kept-alive connections, hands shaken once.

A call passes a second thread, which encrypts, and a pair of sockets (docs/decisions/0193). The certificate has a key
of P-256, the protocol is TLS 1.3, the client is wrk. No goal is set.
"""
import contextlib
import json
import os
import shutil
import statistics
import subprocess

from lib import load, machine
from lib.client import modern_call
from lib.rounds import interleave, ratios
from lib.server import Mahavishnu, Missing, Nginx, make_repositories

CONNECTIONS = (16, 128)
BODY = 1920  # of what nginx answers; about as long as repo_list's answer


def run(context, report):
    with context.scratch() as scratch, contextlib.ExitStack() as stack:
        _, repos = make_repositories(scratch, 3)
        identity = certificate(scratch)
        flags = ("--tls-cert", identity[0], "--tls-key", identity[1])
        ours = {
            "http": stack.enter_context(Mahavishnu(context.binary, scratch, repos)),
            "https": stack.enter_context(Mahavishnu(context.binary, scratch, repos, extra=flags, scheme="https")),
        }
        nginx = {
            "http": stack.enter_context(Nginx(scratch, BODY, context.cores)),
            "https": stack.enter_context(Nginx(scratch, BODY, context.cores, identity)),
        }
        for connections in CONNECTIONS:
            compare(context, report, scratch, ours, nginx, connections)
        for scheme, server in ours.items():
            report.add(f"{scheme}: server RSS", machine.rss_mb(server.pid), "MB")


def certificate(scratch):
    if not shutil.which("openssl"):
        raise Missing("openssl is not installed (apt-get install openssl)")
    files = [os.path.join(scratch.path, f"{part}.pem") for part in ("certificate", "key")]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )
    return files


def compare(context, report, scratch, ours, nginx, connections):
    def measured(scheme, server):
        body, headers = modern_call("repo_list", {})
        headers = {**headers, "Content-Type": "application/json",
                   "Authorization": f"Bearer {getattr(server, 'token', '')}"}
        request = load.request_file(scratch, f"{server.port}.request", headers, json.dumps(body))
        before = machine.cpu_seconds(server.pid) if server in ours.values() else 0
        found = load.wrk(context.here, request, server.port, "/mcp", connections, 1 if context.quick else 2, scheme)
        if found["bad_statuses"] or found["socket_errors"] or not found["requests"]:
            raise RuntimeError(f"{scheme}: {found}")
        if before:
            found["cpu"] = 1e6 * (machine.cpu_seconds(server.pid) - before) / found["requests"]
        return found

    sides = {}
    for scheme in ("http", "https"):
        sides[f"repo_list, {scheme}"] = lambda scheme=scheme: measured(scheme, ours[scheme])
        sides[f"nginx, {scheme}"] = lambda scheme=scheme: measured(scheme, nginx[scheme])
    found = interleave(sides, 1 if context.quick else context.rounds, warm_up=not context.quick)
    at = f"at {connections} connections"
    speed = {name: [one["per_second"] for one in results] for name, results in found.items()}
    for name, results in found.items():
        report.add(f"{name}: requests/s {at}", speed[name])
        report.add(f"{name}: p99 {at}", [one["p99_ms"] for one in results], "ms")
        if "cpu" in results[0]:
            report.add(f"{name}: server CPU a request {at}", statistics.median(one["cpu"] for one in results), "µs")
    for name in ("repo_list", "nginx"):
        report.add(f"{name}, https / http, requests/s {at}", ratios(speed[f"{name}, https"], speed[f"{name}, http"]))
    report.add(f"repo_list / nginx over https, requests/s {at}",
               ratios(speed["repo_list, https"], speed["nginx, https"]))
