"""What an operator is told at night, on the real binary: by a command and by a webhook.

usage: night.py [NAME…]   runs the tests whose names hold one of the words
"""
import http.server
import json
import os
import sys
import threading
import unittest

from e2e import WithScratch, main
from harness import SmallDisk, eventually, first_refusal


class Hook(http.server.ThreadingHTTPServer):
    """A webhook that keeps what it was told; the first tries are answered with 503."""

    def __init__(self, refusals=0):
        self.told, self.headers_seen, self.refusals = [], [], refusals
        hook = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                refused = hook.refusals > 0
                hook.refusals -= 1
                if not refused:
                    hook.told.append(json.loads(body))
                    hook.headers_seen.append((self.path, dict(self.headers)))
                self.send_response(503 if refused else 204)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def close(self):
        self.shutdown()
        self.server_close()


class NightTest(WithScratch):
    def command(self):
        """The setting, and how what it was given is read: all notices there are."""
        file = os.path.join(self.scratch.path, "told")

        def notices():
            if not os.path.exists(file):
                return []
            with open(file, encoding="utf-8") as told:
                return [notice for line in told for notice in json.loads(line)["notices"]]

        return {"MAHAVISHNU_NOTIFY_COMMAND": f"cat >> {file}; echo >> {file}"}, notices

    def test_a_command_is_told_of_a_dead_task_and_a_failed_workflow(self):
        path = self.scratch.repository("api")
        self.scratch.repositories(("api", path, []))
        env, notices = self.command()
        server = self.serve(env=env)
        task = server.tool("task_submit", {"command": "exit 3", "retry": {"max_attempts": 2, "backoff_ms": 1},
                                           "repo": "api", "wait_ms": 20000})
        self.assertEqual(task["state"], "dead")
        flow = server.tool("workflow_run", {"steps": [{"id": "build", "command": "false"}, {"id": "ship", "command": "true"}],
                                            "over": {"all": True}, "wait_ms": 20000})
        self.assertEqual(flow["state"], "failed")
        self.assertEqual([cell["step"] for cell in flow["cells"]], ["build", "ship"], "failures first")
        eventually(lambda: {one["kind"] for one in notices()} == {"task_dead", "workflow_failed"}, "both were told")
        told = {one["kind"]: one for one in notices()}
        self.assertIn(task["task"], told["task_dead"]["text"])
        self.assertIn("exit_code", told["task_dead"]["text"])
        self.assertEqual(told["workflow_failed"]["subject"], "build, ship")
        self.assertIn(flow["workflow"], told["workflow_failed"]["text"])
        counters = server.tool("metrics_get")["counters"]
        self.assertEqual(counters["notices_news"], 2)
        self.assertEqual(counters["notices_dropped"], 0)
        server.stop()

    def test_a_server_that_ends_tells_what_it_has_not_told_yet(self):
        env, notices = self.command()
        server = self.serve(env=env)
        server.tool("task_submit", {"command": "exit 3", "retry": {"max_attempts": 2, "backoff_ms": 1}, "wait_ms": 20000})
        server.stop()
        self.assertEqual([one["kind"] for one in notices()], ["task_dead"])

    def test_a_webhook_is_told_of_an_open_breaker_after_it_refused_twice(self):
        hook = Hook(refusals=2)
        self.addCleanup(hook.close)
        token = self.scratch.file("token", "a-token-of-the-hook-0123456789")
        os.chmod(token, 0o600)
        closed = Hook()
        dead = closed.url("/mcp")
        closed.close()
        server = self.serve(env={"MAHAVISHNU_NOTIFY_URL": hook.url("/hook/x?key=1"),
                                 "MAHAVISHNU_NOTIFY_TOKEN_FILE": token,
                                 "MAHAVISHNU_SESSION_BUDDY_URL": dead})
        server.tool("task_submit", {"command": "true", "wait_ms": 20000})
        eventually(lambda: hook.told, "the hook was told, after two refusals")
        path, headers = hook.headers_seen[0]
        self.assertEqual(path, "/hook/x?key=1")
        self.assertEqual(headers["Authorization"], "Bearer a-token-of-the-hook-0123456789")
        [notice] = hook.told[0]["notices"]
        self.assertEqual(notice["kind"], "breaker_open")
        self.assertIn("session_buddy", notice["subject"])
        self.assertIn(notice["text"], hook.told[0]["text"])
        server.stop()

    def test_a_full_disk_is_told_and_that_there_is_room_again(self):
        disk = SmallDisk(self)
        env, notices = self.command()
        server = self.serve(env=env)
        disk.fill()
        first_refusal(server)
        eventually(lambda: [one for one in notices() if one["kind"] == "disk_full"], "the full disk was told")
        disk.free()
        eventually(lambda: [one for one in notices() if one["kind"] == "disk_full" and one["over"]],
                   "that there is room was told")
        server.stop()

    def test_a_word_that_is_no_kind_is_refused_with_those_there_are(self):
        done = self.scratch.run("serve", "--stdio", "--in-process", env={"MAHAVISHNU_NOTIFY_ON": "everything"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no \"everything\"; there are task_dead", done.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
