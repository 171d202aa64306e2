#!/usr/bin/env python3
"""Runs the benchmarks: see README.md.

Each prints its figures beside its goals and writes them to BUILD/perf/NAME.Ncore.json. A goal that
is missed is told, never an exit status: a time depends on the machine. The status tells whether
every figure could be measured (77: something a benchmark cannot do without is not installed).
"""
import argparse
import importlib
import os
import sys
import traceback

from lib import machine, report
from lib.server import Missing, Scratch

HERE = os.path.dirname(os.path.abspath(__file__))
NAMES = (
    "rpc",
    "submit",
    "spawn",
    "workflows",
    "scheduler",
    "memories",
    "restart",
    "bridge",
    "coldstart",
    "clocks",
    "guards",
    "lag",
    "log",
    "breaker",
    "memory-sync",
    "idle",
    "aggregate",
    "bus",
    "leak",
    "lookup",
    "listen",
    "hostile",
    "tls",
)
SKIPPED = 77


class Context:
    def __init__(self, options, cores):
        self.here = HERE
        self.build = os.path.abspath(options.build)
        self.binary = os.path.abspath(options.server or os.path.join(options.build, "mahavishnu"))
        self.quick = options.quick
        self.rounds = options.rounds
        self.cores = cores

    def scratch(self):
        return Scratch(os.path.join(self.build, "perf", "scratch"))


def parse():
    parser = argparse.ArgumentParser(
        description="Measures Mahavishnu and what it is measured against."
    )
    parser.add_argument("name", nargs="?", choices=(*NAMES, "all"), default="all")
    parser.add_argument(
        "--quick", action="store_true", help="a smoke test: are there figures at all"
    )
    parser.add_argument("--rounds", type=int, default=3, help="interleaved rounds (default 3)")
    parser.add_argument(
        "--cores",
        choices=("1", "2", "both"),
        default="both",
        help="cores that server and load share (default both, one run each)",
    )
    parser.add_argument(
        "--build", default=os.path.join(HERE, "..", "build"), help="the build folder"
    )
    parser.add_argument("--server", help="another server binary (default BUILD/mahavishnu)")
    parser.add_argument(
        "--update-readme",
        action="store_true",
        help="only rewrite the figures in README.md from BUILD/perf/*.json; runs nothing",
    )
    return parser.parse_args()


def measure(name, options, cores):
    """One benchmark on so many cores, in a process of its own: pinning cannot be undone."""
    context = Context(options, machine.pin(cores))
    figures = report.Report(name, machine.describe(), context.cores, context.quick)
    print(f"{name} on {context.cores} core(s) of {figures.data['machine']['cpu']}", flush=True)
    try:
        importlib.import_module(name.replace("-", "_")).run(context, figures)
    except Missing as reason:
        print(f"{name}: {reason}", file=sys.stderr)
        return SKIPPED
    except (RuntimeError, OSError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    print(f"  written to {os.path.relpath(figures.write(os.path.join(context.build, 'perf')))}")
    return 0


def in_child(name, options, cores):
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = measure(name, options, cores)
        except Exception:  # pylint: disable=broad-except  (os._exit would swallow it)
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main():
    options = parse()
    if options.update_readme:
        sections = report.update_readme(
            os.path.join(HERE, "README.md"),
            os.path.join(os.path.abspath(options.build), "perf"),
            NAMES,
        )
        print(f"README.md: {sections} sections")
        return 0
    if not os.access(options.server or os.path.join(options.build, "mahavishnu"), os.X_OK):
        print("the server is not built: meson setup build && ninja -C build", file=sys.stderr)
        return 1
    machine.raise_open_files()
    names = NAMES if options.name == "all" else (options.name,)
    cores = {"1": (1,), "2": (2,), "both": (2,) if options.quick else (2, 1)}[options.cores]
    statuses = [in_child(name, options, count) for name in names for count in cores]
    return max(statuses, key=lambda status: (status not in (0, SKIPPED), status))


if __name__ == "__main__":
    sys.exit(main())
