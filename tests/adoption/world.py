"""A server that is killed and comes back, and work that says what happens to it.

A command tells what it does by appending lines to one file (`say`), and waits at named pipes (`gate`),
so that a test decides what happens before, in and after the time without a server. Waiting for the end
of a process is waiting on its pidfd.
"""
import os
import select
import shutil
import signal
import subprocess
import time
import unittest

from harness import BINARY, PATIENCE, Http, Scratch, eventually, processes_with

ENDED = ("completed", "failed", "cancelled", "dead")
RETRY = {"max_attempts": 3, "backoff_ms": 0}


def ended_within(pidfd, seconds=PATIENCE):
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def read_file(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def parent_of(pid):
    found = [line.split()[1] for line in read_file(f"/proc/{pid}/status").splitlines() if line.startswith("PPid:")]
    return int(found[0]) if found else 0


def newer_binary(path, version):
    """A copy of the binary that says it is of another version: of one that is as long and ends alike.

    The compiler puts so short a text into instructions as well, four bytes at a time: those are changed.
    """
    own_version = subprocess.run([BINARY, "version"], capture_output=True, text=True, check=True).stdout.split()[-1]
    if len(version) != len(own_version) or version[4:] != own_version[4:]:
        raise AssertionError(f"the binary is of version {own_version}: {version} does not fit into its place")
    with open(BINARY, "rb") as file:
        own = file.read()
    with open(path + ".new", "wb") as file:
        file.write(own.replace(own_version[:4].encode(), version[:4].encode()))
    shutil.copymode(BINARY, path + ".new")
    os.rename(path + ".new", path)
    return path


class Gate:
    """A named pipe at which a command stands (`wait`) until the test opens it."""

    def __init__(self, path):
        self.path = path
        os.mkfifo(path)

    @property
    def wait(self):
        return f"read line < {self.path}"

    def open(self):
        with open(self.path, "w", encoding="utf-8") as pipe:  # returns once the command stands there
            pipe.write("go\n")


class AdoptionTest(unittest.TestCase):
    lease_ms = 30000

    def setUp(self):
        self.scratch = Scratch()
        self.scratch.env["MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS"] = "8"
        self.scratch.env["MAHAVISHNU_WORK_LEASE_MS"] = str(self.lease_ms)
        self.scratch.repositories()
        self.said = os.path.join(self.scratch.path, "said")
        self.gates = 0
        self.addCleanup(self.no_process_left)
        self.server = None

    def no_process_left(self):
        try:
            if self.server and self.server.process.poll() is None:
                self.server.stop()
            eventually(lambda: not self.left(), "all processes of the test ended")
        finally:
            for pid in self.left():
                os.kill(pid, signal.SIGKILL)
            self.scratch.close()

    def left(self):
        return processes_with(self.scratch.path)

    # The server.

    def serve(self, **options):
        self.server = Http(self.scratch, **options)
        self.addCleanup(self.server.kill)
        return self.server

    def kill(self):
        self.server.kill()

    def tool(self, tool, **arguments):
        return self.server.tool(tool, arguments)

    # Work.

    def gate(self, name=None):
        self.gates += 1
        return Gate(os.path.join(self.scratch.path, f"gate-{name or self.gates}"))

    def say(self, word):
        """The command that appends `word` and the attempt it belongs to."""
        return f'echo "{word} $MAHAVISHNU_ATTEMPT" >> {self.said}'

    def submit(self, command, **arguments):
        return self.tool("task_submit", command=command, **arguments)["task"]

    def heard(self, word):
        """The attempts that said `word`, each time."""
        return [line.split()[1] for line in read_file(self.said).splitlines() if line.split()[0] == word]

    def until_heard(self, word, times=1):
        eventually(lambda: len(self.heard(word)) >= times, f"a command said {word}")

    def get(self, task):
        return self.tool("task_get", task=task)

    def end_of(self, task):
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            view = self.tool("task_get", task=task, wait_ms=20000)
            if view["state"] in ENDED:
                return view
        raise AssertionError(f"{task} has not ended: {view}")

    def output(self, task):
        """All of it, page by page."""
        page = self.tool("task_output", task=task, offset=0, max_bytes=32768)
        text = page["text"]
        while "next_cursor" in page and page["text"]:
            page = self.tool("task_output", task=task, max_bytes=32768, cursor=page["next_cursor"])
            text += page["text"]
        return text

    def processes_of(self, task):
        """Pids of what runs of this task, by the mark of its attempts."""
        return processes_with(f"MAHAVISHNU_ATTEMPT={task}")

    def shim_of(self, task):
        shims = {pid for pid in map(parent_of, self.processes_of(task))
                 if read_file(f"/proc/{pid}/comm").strip() == "mahavishnu-shim"}
        self.assertEqual(len(shims), 1, shims)
        return shims.pop()

    def watch(self, *pids):
        """Their pidfds."""
        descriptors = [os.pidfd_open(pid) for pid in pids]
        for descriptor in descriptors:
            self.addCleanup(os.close, descriptor)
        return descriptors

    def check_ended(self, watched, what):
        for descriptor in watched:
            self.assertTrue(ended_within(descriptor), what)

    def check_ran_once(self, task, view):
        self.assertEqual((view["attempt"], len(view["attempts"])), (1, 1), view)
        self.assertEqual(len([mark for mark in self.heard("start") if mark.startswith(task)]), 1, self.heard("start"))
