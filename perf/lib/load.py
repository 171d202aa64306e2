"""The load programs: each call runs one and returns its JSON."""
import json
import os
import shutil
import subprocess

from lib.server import Missing


def program(build, name):
    path = os.path.join(build, "perf", name)
    if not os.path.exists(path):
        raise Missing(f"{path} is not built (meson configure -Dperf=true, then ninja)")
    return path


def run(command, timeout=600, **kwargs):
    """The last line of stdout as JSON; what went wrong, with the program's own words, otherwise."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, **kwargs
    )
    if done.returncode != 0:
        raise RuntimeError(f"{os.path.basename(command[0])} failed: {done.stderr.strip()[-1000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def wrk(here, request_file, port, path, connections, seconds, scheme="http"):
    """requests/s and latencies of one fixed request on so many kept-alive connections."""
    binary = shutil.which("wrk")
    if not binary:
        raise Missing("wrk is not installed (apt-get install wrk)")
    threads = min(2, connections, len(os.sched_getaffinity(0)))
    done = subprocess.run(
        [
            binary,
            f"-t{threads}",
            f"-c{connections}",
            f"-d{seconds}s",
            "--timeout",
            "10s",
            "--latency",
            "-s",
            os.path.join(here, "wrk", "call.lua"),
            f"{scheme}://127.0.0.1:{port}{path}",
        ],
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=True,
        env={**os.environ, "PERF_REQUEST": request_file},
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("JSON "))
    result = json.loads(line[5:])
    result["per_second"] = result["requests"] / result["seconds"]
    return result


def request_file(scratch, name, headers, body):
    """What wrk/call.lua reads."""
    lines = [f"{key}: {value}" for key, value in headers.items()]
    return scratch.file(name, "\n".join(lines) + "\n\n" + body)
