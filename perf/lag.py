"""How late the control loop is on a bad day, while one client calls all the time: a repositories file
of 50 MB is read again and again, the disk is slow, the name service is dead.

Goal: p99 of the loop's lag ≤ 5 ms each time, by the server's own clock (a timer of 200 ms says how
late it was served). What the client felt is told beside it, from calls that need neither the disk
nor the name service. Every bad day has a server of its own, so that the window holds nothing else.
"""
import json
import os
import socket
import subprocess
import threading
import time

import bridge
from lib import load
from lib.server import Mahavishnu, end, make_repositories

SECONDS = 20
BIG_BYTES = 49_900_000  # the longest file that is read has 50 MB
BIG_COUNT = 100_000
SYNC_MS = 50


def run(context, report):
    seconds = 3 if context.quick else SECONDS
    for name, day in (
        ("no trouble", quiet),
        ("repos.yaml of 50 MB read again", big_file),
        (f"every sync {SYNC_MS} ms longer", slow_disk),
        ("a dead name service", dead_names),
    ):
        with context.scratch() as scratch:
            day(context, scratch, seconds, lambda found, name=name: tell(report, name, found))


def tell(report, name, found):
    lag, felt = found["lag"], sorted(found["felt"])
    report.add(f"{name}: lag of the loop, p99", lag["p99_ms"], "ms", at_most=5)
    report.add(f"{name}: longest lag, of {lag['count']:,} looks", lag["max_ms"], "ms")
    report.add(f"{name}: a call of one client, p99", felt[int(0.99 * (len(felt) - 1))], "ms")
    report.add(f"{name}: its longest call, of {len(felt):,}", felt[-1], "ms")
    for text in found.get("notes", ()):
        report.note(f"{name}: {text}")


class Caller:
    """One client that calls as fast as it is answered, in a thread, until the block ends."""

    def __init__(self, call):
        self.call, self.over, self.felt = call, threading.Event(), []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over.is_set():
            for tool in ("repo_list", "pool_list"):
                began = time.monotonic()
                self.call(tool)
                self.felt.append(1000 * (time.monotonic() - began))
            time.sleep(0.002)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def by_http(server):
    client = server.client()
    return lambda tool: client.call(tool, limit=1)


def lag_of(server):
    latency = server.client().call("metrics_get", names=["stage.loop_lag"])["latency"]
    return latency["stage.loop_lag"]


def quiet(context, scratch, seconds, found):
    _, repos = make_repositories(scratch, 3)
    with Mahavishnu(context.binary, scratch, repos) as server:
        with Caller(by_http(server)) as caller:
            time.sleep(seconds)
        found({"lag": lag_of(server), "felt": caller.felt})


def big_file(context, scratch, seconds, found):
    """The file of 50 MB comes and goes, so that both its reading and its end fall into the window."""
    names, repos = make_repositories(scratch, 3)
    with open(repos, encoding="utf-8") as text:
        small = text.read()
    big = os.path.join(scratch.path, "big.yaml")
    write_big(big, os.path.join(scratch.path, "repositories", names[0]))
    readings, until = [], time.monotonic() + seconds
    with Mahavishnu(context.binary, scratch, repos) as server:
        asking = server.client()
        with Caller(by_http(server)) as caller:
            while not readings or time.monotonic() < until:
                os.link(big, repos + ".next")
                readings.append(replace(repos, asking, BIG_COUNT))
                scratch.file("repos.yaml.next", small)
                replace(repos, asking, len(names))
        took = f"{min(readings):.1f} to {max(readings):.1f} s"
        note = f"{os.path.getsize(big):,} bytes, {BIG_COUNT:,} repositories; read {len(readings)} "
        note += f"times, {took} from the edit to the first answer with them"
        found({"lag": lag_of(server), "felt": caller.felt, "notes": [note]})


def write_big(path, folder):
    start = "- name: repository-{:06}\n  path: {}\n  role: service\n  tags: [perf, t{}]\n  description: "
    with open(path, "w", encoding="utf-8") as out:
        out.write("repos:\n")
        each = BIG_BYTES // BIG_COUNT - 1
        for number in range(BIG_COUNT):
            entry = start.format(number, folder, number % 100)
            out.write(entry + "x" * (each - len(entry)) + "\n")


def replace(repos, client, wanted, limit=120):
    """Puts NEXT in its place; seconds until the server serves it."""
    began = time.monotonic()
    os.replace(repos + ".next", repos)
    while client.call("repo_list", limit=1)["total"] != wanted:
        if time.monotonic() > began + limit:
            raise RuntimeError(f"the server did not take {repos} over within {limit} s")
        time.sleep(0.05)
    return time.monotonic() - began


def preloaded(context, name):
    return {"LD_PRELOAD": load.program(context.build, name + ".so")}


def slow_disk(context, scratch, seconds, found):
    """Four clients hand in and run work all the time, which is what needs the disk."""
    _, repos = make_repositories(scratch, 3)
    env = {**preloaded(context, "slow_disk"), "SLOW_DISK_MS": str(SYNC_MS)}
    with Mahavishnu(context.binary, scratch, repos, env=env) as server:
        submits, over = [], threading.Event()

        def work():
            client = server.client()
            while not over.is_set():
                began = time.monotonic()
                client.call("task_submit", argv=["true"])
                submits.append(1000 * (time.monotonic() - began))

        workers = [threading.Thread(target=work) for _ in range(4)]
        for worker in workers:
            worker.start()
        try:
            with Caller(by_http(server)) as caller:
                time.sleep(seconds)
        finally:
            over.set()
            for worker in workers:
                worker.join()
        if min(submits) < SYNC_MS:
            raise RuntimeError(f"a submit took {min(submits):.1f} ms: the disk was not slow")
        note = f"{len(submits):,} submits meanwhile, the fastest in {min(submits):.0f} ms"
        found({"lag": lag_of(server), "felt": caller.felt, "notes": [note]})


def dead_names(context, scratch, seconds, found):
    """The only name a server may ever be told is that of an address to listen on, by a client on its
    socket that wants an HTTP door (`serve --http` where a server runs already). Such clients come all
    the time; what they are told does not matter."""
    _, repos = make_repositories(scratch, 3)
    place = bridge.Place(context, scratch, repos, scratch.file("config.yaml", ""))
    server = subprocess.Popen(
        [context.binary, "serve", "--background", "--log-level", "off", "--repos", repos, *place.flags],
        env={**os.environ, **preloaded(context, "dead_dns")},
    )
    try:
        connection, lines = connect(place, server)
        over = threading.Event()
        wishes = []
        wishing = threading.Thread(target=lambda: wish(place, over, wishes))
        wishing.start()
        with Caller(lambda tool: call_on(lines, tool, {"limit": 1})) as caller:
            time.sleep(seconds)
        over.set()
        wishing.join()
        lag = call_on(lines, "metrics_get", {"names": ["stage.loop_lag"]})["latency"]
        connection.close()
        note = f"{len(wishes):,} clients asked for a door by name and were refused"
        found({"lag": lag["stage.loop_lag"], "felt": caller.felt, "notes": [note]})
    finally:
        end(server)


def connect(place, server, limit=10):
    until = time.monotonic() + limit
    while True:
        try:
            return place.straight()
        except OSError:
            if server.poll() is not None or time.monotonic() > until:
                raise
            time.sleep(0.02)


def call_on(lines, tool, arguments):
    params = {"name": tool, "arguments": arguments}
    answer = lines.ask(
        bridge.encoded({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    )
    return json.loads(answer)["result"]["structuredContent"]


def wish(place, over, wishes):
    params = {"version": "0", "listen": {"address": "no.such.name:0", "authenticated": True}}
    hello = {"jsonrpc": "2.0", "id": 1, "method": "mahavishnu/hello", "params": params}
    while not over.is_set():
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(os.path.join(place.data, "mahavishnu.sock"))
            lines = bridge.Lines(connection.fileno(), connection.fileno())
            answer = json.loads(lines.ask(bridge.encoded(hello)))
            if "error" not in answer:
                raise RuntimeError(f"a door by a name nobody knows was promised: {answer}")
            wishes.append(answer["error"])
        time.sleep(0.1)
