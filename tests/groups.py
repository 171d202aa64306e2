"""Runs the groups of tests that scripts/test names, and adds up what they count.

Every group prints its own output; its last line "N passed, N failed" (with ", N skipped" where it
has those) is what it counts. The last line here is the sum.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
SANITIZED = ["domain", "rpc", "mcp", "net", "control"]
DOORS = ["conformance", "clients", "security", "tasks", "resources"]
UNDER_TEST = "MAHAVISHNU_BINARY_UNDER_TEST"
COVERED = ["domain", "control", "rpc", "mcp"]
LEAST_COVERAGE = 90.0
COUNT = re.compile(r"(\d+) passed, (\d+) failed(?:, (\d+) skipped)?")
DOCTEST = re.compile(
    r"\[doctest\] test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed \|\s*(\d+) skipped")


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def add(self, other):
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def failed_step(what, output=""):
    if output:
        print("\n".join(output.splitlines()[-60:]))
    print(f"step failed: {what}")
    return Count(failed=1)


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, text=True, errors="replace", stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False, **options)


def configure(folder, arguments):
    if os.path.exists(os.path.join(folder, "build.ninja")):
        return None
    done = run(["meson", "setup", folder, *arguments])
    return None if done.returncode == 0 else failed_step("meson setup", done.stdout)


def build(folder, arguments=(), targets=()):
    wrong = configure(folder, arguments)
    if wrong:
        return wrong
    done = run(["ninja", "-C", folder, *targets])
    return None if done.returncode == 0 else failed_step("build", done.stdout)


def count_test(test, environment):
    """One test program: its doctest cases, or itself as one."""
    try:
        done = run(test["cmd"], env={**os.environ, **test["env"], **environment},
                   timeout=max(test["timeout"], 60) * 2)
        output, code = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        output, code = str(late.stdout or ""), "timed out"
    except OSError as missing:
        output, code = str(missing), "not started"
    found = DOCTEST.search(output)
    count = Count(*map(int, found.groups())) if found else Count(passed=1 if code == 0 else 0)
    if code != 0:
        count.failed = max(count.failed, 1)
        print(output[-20000:])
    return test["name"], code, count


def introspect(folder, what):
    return json.loads(run(["meson", "introspect", folder, "--" + what]).stdout)


def programs_of(folder, names):
    """What ninja has to build before the tests of these names can run."""
    needed = {one for test in introspect(folder, "tests") if test["name"] in names for one in test["depends"]}
    return [os.path.relpath(target["filename"][0], folder) for target in introspect(folder, "targets")
            if target["id"] in needed]


def run_programs(folder, names=None, environment=None):
    tests = [test for test in introspect(folder, "tests") if names is None or test["name"] in names]
    total = Count()
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for name, code, count in pool.map(lambda test: count_test(test, environment or {}), tests):
            print(f"  {name:12} {count}" + ("" if code == 0 else f"  (exit {code})"))
            total.add(count)
    return total


def unit():
    return build(BUILD) or run_programs(BUILD)


def storms(name, commands):
    """Programs of tests/simulation that are to end well; each counts as one."""
    def group():
        wrong = build(BUILD, targets=["tests/simulation/" + command[0] for command in commands])
        if wrong:
            return wrong
        total = Count()
        for program, environment, *arguments in commands:
            done = run([os.path.join(BUILD, "tests", "simulation", program), *arguments],
                       env={**os.environ, **environment})
            print(done.stdout[-20000:], end="")
            total.add(Count(passed=int(done.returncode == 0), failed=int(done.returncode != 0)))
        return total
    group.__name__ = name
    return group


class Sanitizer:
    """A build of its own, and how its programs are told to report."""

    def __init__(self, folder, sanitize, options):
        self.folder = os.path.join(ROOT, folder)
        self.arguments = [f"-Db_sanitize={sanitize}", "-Db_lundef=false", "--buildtype=plain",
                          "-Dcpp_args=-Og -g1", "-Dperf=false"]
        self.options = options
        self.behind = None

    def begin(self, names):
        """Builds behind the groups that come before, of which most wait more than they compute: in the idle
        class, which gets what they leave."""
        def idly():
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))

        def compile_now():
            if configure(self.folder, self.arguments) is None:
                run(["ninja", "-C", self.folder, *programs_of(self.folder, names)], preexec_fn=idly)

        self.behind = threading.Thread(target=compile_now, daemon=True)
        self.behind.start()

    def layers(self, names):
        if self.behind:
            self.behind.join()
        return (configure(self.folder, self.arguments)
                or build(self.folder, targets=programs_of(self.folder, names))
                or run_programs(self.folder, names, self.options))

    def every_layer(self):
        return configure(self.folder, self.arguments) or self.layers(
            [test["name"] for test in introspect(self.folder, "tests") if test["depends"]])

    def watched(self, programs):
        """Stand-ins for the programs, and where their reports go: what runs them may clear the environment."""
        folder = os.path.join(self.folder, "watched")
        shutil.rmtree(folder, ignore_errors=True)
        report = os.path.join(folder, "report")
        told = "\n".join(f"export {name}={value}:log_path={report}" for name, value in self.options.items())
        for program in programs:
            path = os.path.join(folder, program)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as script:
                script.write(f'#!/bin/sh\n{told}\nexec {os.path.join(self.folder, program)} "$@"\n')
            os.chmod(path, 0o755)
        return folder, report

    def doors(self):
        """What clients meet, with a sanitized server: each group as it is, and not one report."""
        programs = ["mahavishnu", "tests/conformance_server"]
        wrong = build(BUILD) or build(self.folder, self.arguments, programs)
        if wrong:
            return wrong
        folder, report = self.watched(programs)
        os.environ[UNDER_TEST] = os.path.join(folder, programs[0])
        try:
            total = together(*(GROUPS[name][1] for name in DOORS))()
        finally:
            del os.environ[UNDER_TEST]
        reports = sorted(glob.glob(report + ".*"))
        for one in reports:
            with open(one, encoding="utf-8", errors="replace") as text:
                print(text.read()[:20000])
        total.add(Count(passed=int(not reports), failed=len(reports)))
        return total


ASAN = Sanitizer("build-asan", "address,undefined",
                 {"ASAN_OPTIONS": "detect_stack_use_after_return=0:abort_on_error=1",
                  "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"})
TSAN = Sanitizer("build-tsan", "thread", {"TSAN_OPTIONS": "halt_on_error=1:second_deadlock_stack=1"})


def coverage():
    """Line coverage of the layers that decide, by their own tests; needs gcovr."""
    folder = os.path.join(ROOT, "build-coverage")
    wrong = configure(folder, ["-Db_coverage=true", "--buildtype=plain", "-Dcpp_args=-Og -g1",
                               "-Dperf=false"])
    wrong = wrong or build(folder, targets=programs_of(folder, COVERED))
    if wrong:
        return wrong
    total = run_programs(folder, COVERED)
    for layer in COVERED:
        done = run(["gcovr", "--root", ROOT, "--filter", f"src/{layer}/", "--json-summary=-", folder])
        try:
            percent = json.loads(done.stdout[done.stdout.index("{"):])["line_percent"]
        except (ValueError, KeyError):
            return failed_step("gcovr", done.stdout)
        enough = percent >= LEAST_COVERAGE
        print(f"  {layer:12} {percent:.1f} % of lines" + ("" if enough else f", less than {LEAST_COVERAGE}"))
        total.add(Count(passed=int(enough), failed=int(not enough)))
    return total


def script(*path, arguments=(), targets=("mahavishnu",)):
    """A group that is a program of its own; its last "N passed, N failed" counts."""
    def group():
        wrong = build(BUILD, targets=list(targets))
        if wrong:
            return wrong
        done = run([sys.executable, "-B", os.path.join(ROOT, *path), *arguments])
        print(done.stdout, end="" if done.stdout.endswith("\n") else "\n")
        found = COUNT.findall(done.stdout)
        if not found:
            return failed_step(os.path.join(*path))
        count = Count(*(int(number or 0) for number in found[-1]))
        if done.returncode != 0:
            count.failed = max(count.failed, 1)
        return count
    return group


def together(*groups):
    """Several groups as one."""
    def group():
        total = Count()
        for one in groups:
            total.add(one())
        return total
    return group


def fuzz():
    """Each fuzz target for a minute, five at a time; where there is no clang, it says so and skips."""
    done = run([sys.executable, "-B", os.path.join(ROOT, "tests", "fuzz", "run.py"), "--seconds", "60",
                "--at-once", "5"])
    print(done.stdout, end="")
    found = COUNT.findall(done.stdout)
    if not found:
        return failed_step("tests/fuzz/run.py")
    return Count(*(int(number or 0) for number in found[-1]))


# Name → (what it is, the group). The first ones are the default, in this order.
GROUPS = {
    "unit": ("every layer's tests, and the dependency rule", unit),
    "app": ("the real binary from end to end", script("tests", "app", "e2e.py")),
    "messages": ("the message bus of the real binary, and what kill -9 does to it",
                 script("tests", "app", "messages.py")),
    "security": ("who may come in: tokens, scopes, bounds, limits, secrets, an authorization server's tokens; TLS; a "
                 "client that means harm",
                 together(script("tests", "app", "access.py"), script("tests", "app", "oauth.py"),
                          script("tests", "app", "tls.py"),
                          script("tests", "app", "hostile.py"))),
    "night": ("what an operator is told by a command and a webhook", script("tests", "app", "night.py")),
    "tools": ("pools of type mcp: tools of other servers, on good days and bad",
              script("tests", "app", "tool_pools.py")),
    "opensearch": ("the history on its way to OpenSearch, against a double of its API",
                   script("tests", "app", "opensearch.py")),
    "resources": ("resources, prompts and completions of the real binary, read and watched",
                  script("tests", "app", "resources.py")),
    "tasks": ("MCP tasks of the real binary, in both forms, through kill -9",
              script("tests", "app", "tasks.py")),
    "transcripts": ("recorded conversations with the real binary", script("tests", "transcripts", "run.py")),
    "record": ("what --record writes is played again with the same answers",
               script("tests", "transcripts", "record.py")),
    "bridge": ("bridges, the server in the background, and what happens when it dies",
               script("tests", "bridge", "run.py")),
    "kill9": ("50 kills at random moments: nothing lost, doubled or left",
              script("tests", "regress", "kill9.py", arguments=[os.path.join(BUILD, "mahavishnu")])),
    "kill9-long": ("the same with 200 kills; `kill9.py BINARY --seed N` repeats one",
                   script("tests", "regress", "kill9.py", arguments=[os.path.join(BUILD, "mahavishnu"), "--rounds", "200"])),
    "adoption": ("what runs goes on when the server does not: kills, upgrades, leases, lost shims, cancels",
                 script("tests", "adoption", "run.py")),
    "simulation": ("60 s of seeds of core and shell in a simulated world, 20 s of the core alone",
                   storms("simulation", [["simulate", {}, "--seconds", "60"],
                                         ["test_simulation", {"MAHAVISHNU_SIM_SECONDS": "20"}]])),
    "simulation-plants": ("each of twelve faults planted in core and shell is found within 60 s",
                          script("tests", "simulation", "plants.py", targets=["tests/simulation/simulate-plants"],
                                 arguments=[os.path.join(BUILD, "tests", "simulation", "simulate-plants")])),
    "durability": ("power loss and failing calls at every moment: what was told is on the disk",
                   lambda: build(BUILD, targets=["tests/durability/test_durability"])
                   or run_programs(BUILD, ["durability"])),
    "fuzz": ("bad input at the parsers: 60 s a fuzz target, from the committed corpus on", fuzz),
    "clients": ("official SDK clients", script("tests", "clients", "run.py")),
    "conformance": ("the official MCP conformance suite and exact answers, of a server of rpc, mcp and net and of the product",
                    script("tests", "conformance", "run.py", targets=["mahavishnu", "tests/conformance_server"])),
    "asan-short": ("address and undefined-behaviour sanitizers on " + ", ".join(SANITIZED),
                   lambda: ASAN.layers(SANITIZED)),
    "asan": ("the same on every layer", ASAN.every_layer),
    "asan-doors": ("the same on the real binary and the conformance server: " + ", ".join(DOORS), ASAN.doors),
    "tsan": ("the thread sanitizer on every layer", TSAN.every_layer),
    "tsan-doors": ("the same on the real binary and the conformance server", TSAN.doors),
    "coverage": (f"line coverage of {', '.join(COVERED)} is at least {LEAST_COVERAGE} %", coverage),
}
BY_NAME_ONLY = {"asan", "asan-doors", "tsan", "tsan-doors", "coverage", "kill9-long"}


class Heard:
    """Passes on what is printed, and keeps what tells of failures, to be told again at the end."""

    TELLS = re.compile(r"not ok|FAIL|ERROR|FOUND|step failed|\(exit ")
    LINES_AFTER, MOST_LINES = 12, 60

    def __init__(self, stream):
        self.stream, self.kept, self.wanted, self.rest = stream, [], 0, ""

    def write(self, text):
        *lines, self.rest = (self.rest + text).split("\n")
        for line in lines:
            if self.TELLS.search(line):
                self.wanted = 1 + self.LINES_AFTER
            if self.wanted and len(self.kept) < self.MOST_LINES:
                self.kept.append(line[:300])
                self.wanted -= 1
        return self.stream.write(text)

    def flush(self):
        self.stream.flush()


def exists(name):
    folder = {"clients": "tests/clients/run.py", "transcripts": "tests/transcripts/run.py"}.get(name)
    return folder is None or os.path.exists(os.path.join(ROOT, folder))


def main(names):
    if "--list" in names:
        for name, (what, _) in GROUPS.items():
            print(f"{name:12} {what}" + (" (by name only)" if name in BY_NAME_ONLY else ""))
        return 0
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        print(f"there is no group {unknown[0]}; there are: {', '.join(GROUPS)}", file=sys.stderr)
        return 2
    chosen = names or [name for name in GROUPS if name not in BY_NAME_ONLY and exists(name)]
    total, table, failures = Count(), [], []
    for name in chosen:
        if name == "app" and "asan-short" in chosen:
            ASAN.begin(SANITIZED)
        print(f"== {name}: {GROUPS[name][0]}", flush=True)
        started = time.monotonic()
        heard = Heard(sys.stdout)
        with contextlib.redirect_stdout(heard):
            count = GROUPS[name][1]()
        if count.failed:
            failures += [f"-- {name}", *heard.kept]
        table.append(f"  {name:12} {count}  ({time.monotonic() - started:.0f} s)")
        print(f"== {name}: {count}", flush=True)
        total.add(count)
    if failures:
        print("\nWhat failed\n" + "\n".join(failures))
    print("\nSummary\n" + "\n".join(table))
    if total.skipped:
        print(f"{total.skipped} skipped; each says why above")
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
