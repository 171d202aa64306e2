"""Builds the fuzz targets of this folder and runs them, some at a time; prints what they found.

Exit code 0: nothing was found; 1: something was; 2: called wrongly; 3: there is no clang here.
"""
import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BUILD = os.path.join(ROOT, "build-fuzz")
FOUND = os.path.join(BUILD, "found")
COMPILERS = {"CC": "clang-14", "CXX": "clang++-14"}
SETUP = ["-Db_sanitize=address,undefined", "-Db_lundef=false", "-Doptimization=1", "-Dwerror=false",
         "-Dperf=false", "-Dcpp_args=-Wno-unknown-warning-option"]
LONGEST_INPUT = {"cursors": 64, "http_request": 400, "events": 200, "uri_templates": 300, "values": 64, "lines": 1024}
USUAL_LONGEST = 4096
UNAVAILABLE = 3


def targets():
    with open(os.path.join(HERE, "meson.build"), encoding="utf-8") as text:
        line = re.search(r"^fuzz_targets = \[(.*?)\]", text.read(), re.S | re.M)
    return re.findall(r"'(\w+)'", line.group(1))


def why_unavailable():
    """None: fuzzing works here."""
    for compiler in COMPILERS.values():
        if shutil.which(compiler) is None:
            return f"{compiler} is not installed (scripts/fuzz installs it)"
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "empty.cpp")
        with open(source, "w", encoding="utf-8") as text:
            text.write('extern "C" int LLVMFuzzerTestOneInput(const char*, unsigned long) { return 0; }\n')
        done = subprocess.run([COMPILERS["CXX"], "-fsanitize=fuzzer,address,undefined", source, "-o",
                               os.path.join(folder, "empty")], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return ("clang-14 cannot link a fuzz target; is libclang-rt-14-dev installed?\n"
                + done.stderr[-1000:])
    return None


def build(chosen):
    if not os.path.exists(os.path.join(BUILD, "build.ninja")):
        subprocess.run(["meson", "setup", BUILD, *SETUP], cwd=ROOT, env={**os.environ, **COMPILERS},
                       check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(["ninja", "-C", BUILD, *[f"tests/fuzz/fuzz_{name}" for name in chosen]],
                          check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-60:]))
        raise SystemExit("step failed: build of the fuzz targets")


def program(name):
    return os.path.join(BUILD, "tests", "fuzz", "fuzz_" + name)


def options(name):
    chosen = [f"-max_len={LONGEST_INPUT.get(name, USUAL_LONGEST)}", "-timeout=120", "-rss_limit_mb=2048",
              f"-artifact_prefix={FOUND}/{name}-", "-print_final_stats=1"]
    dictionary = os.path.join(HERE, "dictionaries", name + ".dict")
    return chosen + ([f"-dict={dictionary}"] if os.path.exists(dictionary) else [])


def committed(name):
    return os.path.join(HERE, "corpus", name)


def kept(name):
    """What the fuzzer keeps from one run to the next on this machine."""
    folder = os.path.join(BUILD, "corpus", name)
    os.makedirs(folder, exist_ok=True)
    return folder


def fuzz(name, seconds):
    """The lines to print, and whether nothing was found."""
    os.makedirs(FOUND, exist_ok=True)
    before = set(glob.glob(os.path.join(FOUND, name + "-*")))
    command = [program(name), *options(name), f"-max_total_time={seconds}", kept(name), committed(name)]
    done = subprocess.run(command, cwd=BUILD, text=True, errors="replace", check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    runs = re.findall(r"stat::number_of_executed_units:\s*(\d+)", done.stderr)
    covered = re.findall(r"cov: (\d+)", done.stderr)
    good = done.returncode == 0 and bool(runs) and bool(covered)
    lines = [f"  {name:14} {int(runs[-1]) if runs else 0:>10} inputs, {covered[-1] if covered else 0} edges, "
             + ("nothing found" if good else f"FOUND SOMETHING (exit code {done.returncode})")]
    if not good:
        lines.append(told(done.stderr))
        for path in sorted(set(glob.glob(os.path.join(FOUND, name + "-*"))) - before):
            lines.append(f"    replay: scripts/fuzz {name} --replay {os.path.relpath(path, ROOT)}")
    return lines, good


def told(output):
    """What was found, without the fuzzer's own progress before it."""
    lines = output.splitlines()
    first = next((i for i, line in enumerate(lines) if re.match(r"broken: |==\d+==|.*runtime error: ", line)),
                 max(0, len(lines) - 20))
    ours = [line for line in lines[first:] if not re.match(r"\s*#\d+ ", line)
            or re.search(r"/(src|tests/fuzz)/\w", line.replace("(" + BUILD, ""))]
    return "\n".join("    " + line[:200] for line in ours[:30])


def replay(name, files):
    return subprocess.run([program(name), "-timeout=120", *[os.path.abspath(file) for file in files]],
                          check=False).returncode


def minimise(name):
    """The committed corpus anew: what was written by hand (own-*), and as few files as cover the rest."""
    with tempfile.TemporaryDirectory() as folder:
        for path in glob.glob(os.path.join(committed(name), "own-*")):
            shutil.copy(path, folder)
        subprocess.run([program(name), "-set_cover_merge=1", "-use_counters=0", *options(name), folder,
                        committed(name), kept(name)], cwd=BUILD, check=True, stderr=subprocess.DEVNULL)
        shutil.rmtree(committed(name))
        shutil.copytree(folder, committed(name))
    return len(os.listdir(committed(name)))


def arguments(names):
    parser = argparse.ArgumentParser(prog="scripts/fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names) + "; none: all")
    parser.add_argument("--seconds", type=int, default=600, help="of each target (600)")
    parser.add_argument("--at-once", type=int, default=2, help="so many targets (2)")
    parser.add_argument("--list", action="store_true", help="print the targets")
    parser.add_argument("--replay", nargs="+", metavar="FILE", help="run these inputs through one target")
    parser.add_argument("--minimise", action="store_true",
                        help="put into the committed corpus what covers more")
    chosen = parser.parse_args()
    unknown = [name for name in chosen.targets if name not in names]
    if unknown:
        parser.error(f"there is no target {unknown[0]}; there are: {', '.join(names)}")
    if chosen.replay and len(chosen.targets) != 1:
        parser.error("--replay wants one target before it, such as: codec --replay FILE")
    if chosen.seconds < 1 or chosen.at_once < 1:
        parser.error("--seconds and --at-once must be 1 or more")
    return chosen


def main():
    names = targets()
    asked = arguments(names)
    if asked.list:
        print("\n".join(names))
        return 0
    reason = why_unavailable()
    if reason:
        print(f"unavailable: {reason}\n0 passed, 0 failed, 1 skipped")
        return UNAVAILABLE
    chosen = asked.targets or names
    build(chosen)
    if asked.replay:
        return replay(chosen[0], asked.replay)
    if asked.minimise:
        for name in chosen:
            print(f"  {name:14} {minimise(name)} inputs")
        return 0
    started = time.monotonic()
    failed = 0
    with ThreadPoolExecutor(max_workers=asked.at_once) as pool:
        for lines, good in pool.map(lambda name: fuzz(name, asked.seconds), chosen):
            print("\n".join(lines), flush=True)
            failed += not good
    print(f"{len(chosen)} targets for {asked.seconds} s each, {asked.at_once} at a time: "
          f"{time.monotonic() - started:.0f} s altogether")
    print(f"{len(chosen) - failed} passed, {failed} failed")
    return 1 if failed else 0


sys.exit(main())
