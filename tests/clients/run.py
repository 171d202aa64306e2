"""Runs clients.mjs against build/mahavishnu; installs the SDK clients first (npm ci, once).

Skipped, with the reason, where there is no Node.js 20 or newer. Prints what clients.mjs prints; the
last line is "N passed, N failed" (", N skipped").
"""
import filecmp
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build")
FOLDER = os.path.join(BUILD, "clients")
LOCK = "package-lock.json"


def missing_tool():
    for tool in ("node", "npm", "git"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < 20:
        return f"the SDK clients need Node.js 20, and this is {version.strip()}"
    return None


def installed():
    """True when build/clients holds what the lock file names; the lock there is copied last."""
    known = os.path.join(FOLDER, "installed-" + LOCK)
    return os.path.exists(known) and filecmp.cmp(known, os.path.join(HERE, LOCK), shallow=False)


def install():
    os.makedirs(FOLDER, exist_ok=True)
    for name in ("package.json", LOCK):
        shutil.copy(os.path.join(HERE, name), FOLDER)
    done = subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        return done.stdout
    shutil.copy(os.path.join(HERE, LOCK), os.path.join(FOLDER, "installed-" + LOCK))
    return None


def place(script):
    """The script and what it imports from here, copied to where Node looks for the packages."""
    for path in [script] + [os.path.join(HERE, name) for name in os.listdir(HERE) if name.endswith(".mjs")]:
        shutil.copy(path, FOLDER)
    return os.path.join(FOLDER, os.path.basename(script))


def main():
    binary = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else os.path.join(BUILD, "mahavishnu")
    reason = missing_tool()
    if reason:
        print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    failure = None if installed() else install()
    if failure:
        print(f"not ok npm ci\n{failure}\n0 passed, 1 failed")
        return 1
    return subprocess.run(["node", place(os.path.join(HERE, "clients.mjs")), binary], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
