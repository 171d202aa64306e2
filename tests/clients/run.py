"""Runs clients.mjs against build/mahavishnu, or the binary that is named; installs the SDK clients first (npm ci, once).

They need Node.js 22: where the system's is older, the one that npm installs as a package is used.
Skipped, with the reason, where there is no npm. Prints what clients.mjs prints; the last line is
"N passed, N failed" (", N skipped").
"""
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in ("app", "support"):
    sys.path.insert(0, os.path.join(os.path.dirname(HERE), folder))
from harness import BINARY  # noqa: E402
from node_packages import NodePackages  # noqa: E402

PACKAGES = NodePackages("clients", HERE, oldest_node=22, tools=("node", "npm", "git"))


def place(script):
    """The script and what it imports from here, copied to where Node looks for the packages."""
    for path in [script] + [os.path.join(HERE, name) for name in os.listdir(HERE) if name.endswith(".mjs")]:
        shutil.copy(path, PACKAGES.folder)
    return os.path.join(PACKAGES.folder, os.path.basename(script))


def main():
    binary = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else BINARY
    reason = PACKAGES.missing_tool()
    if reason:
        print(f"skipped: {reason}\n0 passed, 0 failed, 1 skipped")
        return 0
    failure = PACKAGES.install()
    if failure:
        print(f"not ok npm ci\n{failure}\n0 passed, 1 failed")
        return 1
    return subprocess.run([PACKAGES.node(), place(os.path.join(HERE, "clients.mjs")), binary], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
