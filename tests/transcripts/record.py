"""`serve --record FILE` with the real binary: what is in the file, what is not, and that it can be
played again with the same answers.

usage: record.py [NAME…]   runs the tests whose names hold one of the words
"""
import json
import os
import signal
import stat
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "app"), HERE]
from harness import Http, Scratch, Stdio, eventually, processes_with  # noqa: E402
from run import Play, read  # noqa: E402

INITIALIZE = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
              "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                         "clientInfo": {"name": "by hand", "version": "0"}}}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def call(number, tool, **arguments):
    return {"jsonrpc": "2.0", "id": number, "method": "tools/call",
            "params": {"name": tool, "arguments": arguments}}


class RecordTest(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.no_process_left)
        self.file = os.path.join(self.scratch.path, "talk.jsonl")
        self.scratch.repositories()

    def no_process_left(self):
        try:
            self.scratch.run("stop")
            eventually(lambda: not processes_with(self.scratch.path), "all processes of the test ended")
        finally:
            for pid in processes_with(self.scratch.path):
                os.kill(pid, signal.SIGKILL)
            self.scratch.close()

    def client(self, *flags, **options):
        client = Stdio(self.scratch, *flags, **options)
        self.addCleanup(client.kill)
        return client

    def server(self, *flags):
        server = Http(self.scratch, "--record", self.file, *flags)
        self.addCleanup(server.kill)
        return server

    def text(self):
        with open(self.file, encoding="utf-8") as file:
            return file.read()

    def replayed(self, lines=None):
        play = Play(lines or read(self.file))
        play.run()
        return play

    def talk(self, client):
        """A session with all that can be said on a line: messages, nonsense, bytes, ids in later calls."""
        self.assertIn("result", client.ask(INITIALIZE))
        client.send(INITIALIZED)
        task = client.ask(call(1, "task_submit", command="echo said; exit 3", wait_ms=20000))
        task = task["result"]["structuredContent"]["task"]
        self.assertIn(task, json.dumps(client.ask(call(2, "task_get", task=task))))
        self.assertIn("said", json.dumps(client.ask(call("three", "task_output", task=task))))
        self.assertIn("error", client.ask("nonsense {"))
        self.assertIn("error", client.ask(b"\xff\xfe"))
        self.assertTrue(client.ask(call(4, "task_get", task="task_01ARZ3NDEKTSV4RRFFQ69G5FAV"))["result"]["isError"])
        self.assertEqual(client.finish(), ([], 0))

    def test_a_session_in_one_process_is_played_again_with_the_same_answers(self):
        self.talk(self.client("--record", self.file))
        self.assertEqual(stat.S_IMODE(os.stat(self.file).st_mode), 0o600)
        lines = read(self.file)
        self.assertEqual([next(iter(set(line) & {"in", "raw", "hex", "out", "end"}), "first") for line in lines],
                         ["first", "in", "out", "in"] + ["in", "out"] * 3 + ["raw", "out", "hex", "out", "in", "out", "end"])
        self.assertEqual(self.replayed().differences, [])

    def test_a_session_through_a_bridge_is_played_again_with_the_same_answers(self):
        client = self.client("--record", self.file, in_process=False)
        self.talk(client)
        self.assertIn(f"recording to {self.file}", client.said())
        self.assertEqual(self.replayed().differences, [])

    def test_what_answers_late_is_matched_by_its_id(self):
        client = self.client("--record", self.file)
        client.ask(INITIALIZE)
        gate = os.path.join(self.scratch.path, "gate")
        task = client.ask(call(1, "task_submit", command=f"while [ ! -e {gate} ]; do sleep 0.02; done"))
        task = task["result"]["structuredContent"]["task"]
        client.send(call(2, "task_get", task=task, wait_ms=20000))
        client.ask(call(3, "pool_list"))
        open(gate, "w", encoding="utf-8").close()
        self.assertEqual(client.receive()["id"], 2)
        client.finish()
        lines = read(self.file)
        os.unlink(gate)
        for line in lines:  # the task of the replay has no gate to wait for
            if "task_submit" in json.dumps(line.get("in", "")):
                line["in"]["params"]["arguments"]["command"] = "sleep 0.2"
        self.assertEqual(self.replayed(lines).differences, [])

    def test_an_answer_that_is_another_now_is_told(self):
        self.talk(self.client("--record", self.file))
        lines = read(self.file)
        found = next(line for line in lines if "exit_code" in json.dumps(line.get("out", "")))
        found["out"]["result"]["structuredContent"]["reason"] = "ok"
        self.assertEqual(len(self.replayed(lines).differences), 1)

    def test_requests_over_http_are_played_again_and_no_secret_is_in_the_file(self):
        server = self.server()
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                   "Authorization": f"Bearer {server.token()}", "Cookie": "of the client"}

        def post(path, message, **more):
            return server.request("POST", path, json.dumps(message), {**headers, **more})

        status, answered, _ = post("/mcp", INITIALIZE)
        session = answered["Mcp-Session-Id"]
        self.assertEqual((status, bool(session)), (200, True))
        self.assertEqual(post("/mcp", INITIALIZED, **{"Mcp-Session-Id": session})[0], 202)
        task = server.tool("task_submit", {"command": "echo over http", "wait_ms": 20000})["task"]
        self.assertEqual(post("/mcp", call(1, "task_get", task=task), **{"Mcp-Session-Id": session})[0], 200)
        self.assertEqual(post("/tools/call", {"name": "task_gte"})[0], 404)
        self.assertEqual(server.request("GET", "/mcp", None, headers)[0], 400)  # of no session
        self.assertEqual(server.request("POST", "/mcp", "{}", {"Content-Type": "application/json"})[0], 401)
        self.assertEqual(server.stop(), 0)
        text = self.text()
        for secret in (server.token(), session, "Authorization", "of the client"):
            self.assertNotIn(secret, text)
        self.assertEqual(len([line for line in read(self.file) if "in" in line]), 6)
        self.assertEqual(self.replayed().differences, [])

    def test_the_clients_of_a_server_are_recorded_each_with_its_rights(self):
        server = self.server()
        writer = self.client(in_process=False)
        reader = self.client("--read-only", "--tools", "task_get,pool_list", in_process=False)
        writer.ask(INITIALIZE)
        task = writer.ask(call(1, "task_submit", command="echo shared", wait_ms=20000))
        task = task["result"]["structuredContent"]["task"]
        reader.ask(INITIALIZE)
        self.assertIn("completed", json.dumps(reader.ask(call(1, "task_get", task=task))))
        self.assertIn("error", reader.ask(call(2, "task_submit", command="true")))
        self.assertEqual(server.tool("task_get", {"task": task})["state"], "completed")
        for client in (writer, reader):
            self.assertEqual(client.finish(), ([], 0))
        server.stop()
        opened = [line["args"] for line in read(self.file) if "open" in line]
        self.assertEqual(sorted(opened), [[], ["--read-only", "--tools", "task_get,pool_list"]])
        self.assertNotIn("mahavishnu/hello", self.text())
        self.assertEqual(self.replayed().differences, [])

    def test_a_killed_server_leaves_what_was_said(self):
        server = self.server()
        task = server.tool("task_submit", {"command": "true"})["task"]
        eventually(lambda: task in self.text(), "the answer is in the file")
        server.kill()
        for line in self.text().splitlines():
            json.loads(line)

    def test_no_recording_replaces_another(self):
        for name in (self.file, self.file + ".1"):
            client = self.client("--record", "talk.jsonl")
            client.ask(INITIALIZE)
            client.finish()
            self.assertIn(f"recording to {name};", client.said())
            self.assertEqual(len(read(name)), 4)

    def test_what_cannot_be_recorded_is_refused(self):
        done = self.scratch.run("serve", "--http", "127.0.0.1:0", "--record", "/no/such/folder/talk")
        self.assertEqual((done.returncode, "/no/such/folder/talk: No such file" in done.stderr), (1, True), done.stderr)
        self.server()
        for flags in (["--http", "127.0.0.1:0"], ["--stdio", "--in-process"]):
            done = self.scratch.run("serve", *flags, "--record", self.file + "-2")
            self.assertEqual(done.returncode, 1)
            self.assertIn("mahavishnu stop", done.stderr)
        self.assertFalse(os.path.exists(self.file + "-2"))

    @unittest.skipUnless(os.geteuid() == 0, "only root can mount the small disk")
    def test_a_full_disk_ends_the_recording_and_not_the_server(self):
        disk = os.path.join(self.scratch.path, "disk")
        os.mkdir(disk)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], check=False)
        if mounted.returncode != 0:
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", disk], check=False)
        self.file = os.path.join(disk, "talk.jsonl")
        server = self.server()
        for _ in range(4):
            server.tool("task_submit", {"command": "true", "stdin": "x" * 50000})
        self.assertEqual(server.stop(), 0)
        self.assertEqual(server.log().count("ends here: No space left"), 1, server.log())
        self.assertGreater(len(read(self.file)), 1)


def main(words):
    suite = unittest.TestSuite()
    for test in unittest.defaultTestLoader.loadTestsFromTestCase(RecordTest):
        if not words or any(word in test.id() for word in words):
            suite.addTest(test)
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    skipped = len(outcome.skipped)
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not outcome.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
