"""Pools of type mcp with the real binary: tools of servers that behave, and of servers that do not.

usage: tool_pools.py [NAME…]   runs the tests whose names hold one of the words
"""
import json
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import e2e  # noqa: E402
from e2e import HELLO, WithScratch, request  # noqa: E402
from harness import BINARY, Http, Scratch, eventually  # noqa: E402

PEER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "tool_peer.py")


class WithPeer(WithScratch):
    def setUp(self):
        super().setUp()
        self.log_path = os.path.join(self.scratch.path, "peer.log")

    def peer_said(self):
        if not os.path.exists(self.log_path):
            return []
        with open(self.log_path, encoding="utf-8") as log:
            return log.read().splitlines()

    def spawn(self, server, name="peer", mode="good", **more):
        return server.tool("pool_spawn", {"name": name, "type": "mcp", "env": {"PEER_LOG": self.log_path},
                                          "settings": {"command": [sys.executable, PEER, mode]}, **more})

    def call(self, server, tool, arguments=None, **more):
        return server.tool("task_submit", {"tool": tool, "arguments": arguments or {}, "wait_ms": 40000, **more})

    def check_failed(self, task, exit_code, *words):
        self.assertEqual((task["state"], task["reason"]), ("failed", "exit_code"), task)
        self.assertEqual(task["attempts"][-1]["exit_code"], exit_code)
        self.assertEqual(task["attempts"][-1]["processes_left"], 0)
        for word in words:
            self.assertIn(word, task["result"]["message"])


class CallTest(WithPeer):
    def test_a_tool_answers_text_and_structure_and_its_log_is_kept_apart(self):
        server = self.serve()
        self.assertEqual(self.spawn(server)["worker_type"], "mcp")
        task = self.call(server, "echo", {"words": "hé\nllo", "n": 1.5})
        self.assertEqual((task["state"], task["pool"], task["worker_type"]), ("completed", "peer", "mcp"))
        self.assertIn("hé\nllo", task["result"]["text"])
        self.assertEqual(task["result"]["structured"], {"heard": {"words": "hé\nllo", "n": 1.5}})
        out = server.tool("task_output", {"task": task["task"], "stream": "stdout"})
        self.assertEqual(out["text"], "hé\nllo")
        err = server.tool("task_output", {"task": task["task"], "stream": "stderr"})
        self.assertIn("[info] echo: here", err["text"])
        self.assertEqual(self.peer_said(), ["started", "called echo", "end of input"])
        self.assertEqual(server.stop(), 0)

    def test_each_way_to_begin_is_found(self):
        server = self.serve()
        for mode in ("modern", "greets", "quits"):
            self.spawn(server, name=mode, mode=mode)
            task = self.call(server, "echo", {"words": "hello"}, pool=mode)
            self.assertEqual(task["state"], "completed", task)
        self.assertIn("revision 2026-07-28", self.peer_said())
        self.assertIn("quit at server/discover", self.peer_said())
        self.assertEqual(server.stop(), 0)

    def test_failures_say_what_failed_and_where(self):
        server = self.serve()
        self.spawn(server)
        self.check_failed(self.call(server, "fail"), 1, "the disk is full")
        self.check_failed(self.call(server, "ech"), 2, 'has no tool "ech"', 'did you mean "echo"?')
        self.check_failed(self.call(server, "die"), 3, 'tool "die"', "ended with exit code 7")
        self.check_failed(self.call(server, "echo", pool=self.missing(server)), 3, "command not found")
        self.assertEqual(server.stop(), 0)

    def missing(self, server):
        server.tool("pool_spawn", {"name": "missing", "type": "mcp", "settings": {"command": ["no-such-server"]}})
        listed = [pool for pool in server.tool("pool_list")["items"] if pool["name"] == "missing"]
        self.assertIn('command not found: "no-such-server"', listed[0]["unavailable_reason"])
        health = [pool for pool in server.tool("pool_health")["items"] if pool["name"] == "missing"]
        self.assertEqual(health[0]["status"], "unhealthy")
        return "missing"

    def test_what_is_no_text_is_told_and_questions_are_refused(self):
        server = self.serve()
        self.spawn(server)
        text = self.call(server, "image")["result"]["text"]
        self.assertIn("[image: image/png, 4 bytes]", text)
        self.assertIn("[resource_link file:///a a]", text)
        self.assertEqual(self.call(server, "ask")["state"], "completed")
        eventually(lambda: any("-32601" in line for line in self.peer_said()), "the question was answered")
        self.assertEqual(server.stop(), 0)

    def test_an_answer_of_5_mb_is_bounded_and_said(self):
        server = self.serve()
        self.spawn(server)
        task = self.call(server, "big", {"bytes": 5_000_000})
        self.assertEqual(task["state"], "completed")
        self.assertTrue(task["result"]["truncated"])
        self.assertNotIn("structured", task["result"])
        self.assertIn("result.structured is left out", task["result"]["message"])
        self.assertGreater(task["output_bytes"], 10_000_000)  # the text, and the structure behind it
        first = server.tool("task_output", {"task": task["task"], "stream": "stdout", "offset": 0})
        self.assertEqual(first["text"][:10], "x" * 10)
        self.assertLess(len(json.dumps(task)), 40_000)
        self.assertEqual(server.stop(), 0)

    def test_steps_and_batches_call_tools(self):
        self.scratch.repositories(*[(name, self.scratch.repository(name), ["x"]) for name in ("one", "two")])
        server = self.serve()
        self.spawn(server)
        steps = [{"id": "count", "command": "ls"},
                 {"id": "ask", "tool": "env", "arguments": {"name": "MAHAVISHNU_REPO"}, "depends_on": ["count"]}]
        ended = server.tool("workflow_run", {"steps": steps, "over": {"all": True}, "wait_ms": 40000})
        self.assertEqual(ended["state"], "completed")
        told = [server.tool("task_get", {"task": cell["task"]})["result"]["text"].strip()
                for cell in ended["cells"] if cell["step"] == "ask"]
        self.assertEqual(sorted(told), ["one", "two"])
        batch = server.tool("task_batch", {"defaults": {"tool": "echo"}, "wait_ms": 40000, "tasks": [
            {"arguments": {"words": "a"}}, {"arguments": {"words": "b"}}, {"command": "echo c"}, {"tool": ""}]})
        self.assertEqual((batch["counts"], batch["refused"]), ({"completed": 3}, 1))
        refused = {"steps": [{"id": "bad", "tool": "env", "pool": "default"}], "over": {"all": True}}
        error = server.tool("workflow_run", refused, status=400)["error"]["message"]
        self.assertIn('step "bad": pool "default" runs commands', error)
        self.assertEqual(server.stop(), 0)


class BadDayTest(WithPeer):
    def test_a_cancel_reaches_the_server_and_nothing_is_left(self):
        server = self.serve()
        self.spawn(server)
        for tool, arguments in (("forever", {}), ("slow", {"steps": 5, "pause_s": 600})):
            task = server.tool("task_submit", {"tool": tool, "arguments": arguments})["task"]
            eventually(lambda: "called " + tool in self.peer_said(), "the call is with the peer")
            got = server.tool("task_cancel", {"task": task, "wait_ms": 30000})
            self.assertEqual(got["items"][0]["processes_left"], 0)
            self.assertEqual(server.tool("task_get", {"task": task})["reason"], "cancelled_by_caller")
            self.assertIn("told to cancel", self.peer_said())
            os.remove(self.log_path)
        self.assertEqual(server.stop(), 0)

    def test_servers_that_say_nothing_or_nonsense(self):
        server = self.serve()
        for mode in ("silent", "garbage"):
            self.spawn(server, name=mode, mode=mode)
        task = self.call(server, "echo", pool="silent", timeouts={"run_ms": 1500})
        self.assertEqual((task["state"], task["reason"]), ("failed", "timed_out"))
        self.assertEqual(task["attempts"][-1]["processes_left"], 0)
        self.check_failed(self.call(server, "echo", pool="garbage"), 3, "does not speak MCP", "I am not a server")
        self.assertEqual(server.stop(), 0)

    def test_progress_counts_as_life_and_reaches_whoever_waits(self):
        client = self.speak("--toolsets", "core")
        client.ask(HELLO)
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        client.ask(request(1, "tools/call", name="pool_spawn", arguments={
            "name": "peer", "type": "mcp", "env": {"PEER_LOG": self.log_path},
            "settings": {"command": [sys.executable, PEER]}}))
        client.send(request(2, "tools/call", name="task_submit", _meta={"progressToken": "p"}, arguments={
            "tool": "slow", "arguments": {"steps": 9, "pause_s": 0.4}, "timeouts": {"idle_ms": 3000},
            "wait_ms": 40000}))
        told, answer = [], None
        while answer is None:
            message = client.receive()
            if message.get("id") == 2:
                answer = message["result"]["structuredContent"]
            elif message.get("method") == "notifications/progress":
                told.append(message["params"])
        self.assertEqual(answer["state"], "completed")
        self.assertEqual(answer["result"]["structured"], {"steps": 9})
        self.assertTrue(any("3/9: step 3" in one.get("message", "") for one in told), told)
        done = [one["progress"] for one in told]
        self.assertEqual(done, sorted(set(done)))
        self.assertEqual(client.finish()[1], 0)

    def test_a_call_outlives_the_server_that_asked_for_it(self):
        server = self.serve()
        self.spawn(server)
        task = server.tool("task_submit", {"tool": "slow", "arguments": {"steps": 6, "pause_s": 0.5}})["task"]
        eventually(lambda: "called slow" in self.peer_said(), "the call is with the peer")
        server.signal(signal.SIGKILL)
        server.wait()
        again = self.serve()
        ended = again.tool("task_get", {"task": task, "wait_ms": 40000})
        self.assertEqual(ended["state"], "completed")
        self.assertEqual((ended["attempt"], ended["result"]["structured"]), (1, {"steps": 6}))
        self.assertEqual(self.peer_said().count("started"), 1)
        self.assertEqual(again.stop(), 0)

    def test_wrong_pools_are_refused_in_words(self):
        server = self.serve()

        def refused(tool, arguments):
            return server.tool(tool, arguments, status=400)["error"]["message"]
        self.assertIn("there is none; make one with pool_spawn", refused("task_submit", {"tool": "echo"}))
        self.assertIn("exactly one of url", refused("pool_spawn", {"name": "a", "type": "mcp"}))
        self.assertIn("for pools of type mcp", refused("pool_spawn", {"name": "a", "settings": {"url": "http://a"}}))
        self.assertIn("token_file", refused("pool_spawn", {"name": "a", "type": "mcp", "settings": {
            "url": "http://a/mcp", "headers": {"Authorization": "Bearer x"}}}))
        self.assertIn("urll", refused("pool_spawn", {"name": "a", "type": "mcp", "settings": {"urll": "http://a"}}))
        self.spawn(server)
        self.spawn(server, name="other")
        self.assertIn('name one of "other", "peer"', refused("task_submit", {"tool": "echo"}))
        self.assertIn("calls tools of an MCP server", refused("task_submit", {"command": "ls", "pool": "peer"}))
        self.assertEqual(server.stop(), 0)


class AnotherServerTest(WithPeer):
    """Another server of the same kind, with other repositories and tasks of its own."""

    def setUp(self):
        super().setUp()
        self.other = Scratch()
        self.addCleanup(self.other.close)
        self.other.repositories(("far", self.other.repository("far"), ["y"]))

    def check_repositories(self, task):
        self.assertEqual(task["state"], "completed", task)
        self.assertEqual([repo["name"] for repo in task["result"]["structured"]["items"]], ["far"])

    def test_over_stdio(self):
        server = self.serve()
        words = [BINARY, "serve", "--stdio", "--in-process", "--data", os.path.join(self.other.path, "in"),
                 "--repos", os.path.join(self.other.path, "config/mahavishnu/repos.yaml")]
        server.tool("pool_spawn", {"name": "far", "type": "mcp", "settings": {"command": words}})
        self.check_repositories(self.call(server, "repo_list"))
        self.assertEqual(server.stop(), 0)

    def test_over_http_with_a_token(self):
        far = Http(self.other)
        self.addCleanup(far.kill)
        server = self.serve()
        token = os.path.join(self.other.data, "token")
        url = f"http://127.0.0.1:{far.port}/mcp"
        listed = server.tool("pool_spawn", {"name": "far", "type": "mcp",
                                            "settings": {"url": url, "token_file": token}})
        self.assertNotIn(far.token(), json.dumps(listed))
        self.check_repositories(self.call(server, "repo_list"))
        self.check_failed(self.call(server, "repo_lis"), 2, 'did you mean "repo_list"?')
        self.check_failed(self.call(server, "task_get", {"task": "x"}), 1, "x")
        self.check_cancelled(server, far)
        self.check_closed_doors(server, url)
        far.stop()
        self.check_failed(self.call(server, "repo_list", pool="far"), 3, url, "no connection")
        self.assertEqual(server.stop(), 0)

    def check_cancelled(self, server, far):
        """The stream of the answer is closed, and the far call ends; its task goes on: it is on its own."""
        task = server.tool("task_submit", {"tool": "task_submit", "arguments": {
            "command": "sleep 600", "wait_ms": 45000}})["task"]
        eventually(lambda: far.tool("task_list", {"state": "running"})["items"], "the far task runs")
        got = server.tool("task_cancel", {"task": task, "wait_ms": 30000})
        self.assertEqual(got["items"][0]["processes_left"], 0)
        far.tool("task_cancel", {"filter": {"all": True}, "wait_ms": 30000})

    def check_closed_doors(self, server, url):
        server.tool("pool_spawn", {"name": "shut", "type": "mcp", "settings": {"url": url}})
        self.check_failed(self.call(server, "repo_list", pool="shut"), 3, "HTTP 401", "token_file")
        missing = os.path.join(self.scratch.path, "no-token")
        server.tool("pool_spawn", {"name": "lost", "type": "mcp", "settings": {"url": url, "token_file": missing}})
        self.check_failed(self.call(server, "repo_list", pool="lost"), 3, missing)
        listed = {pool["name"]: pool for pool in server.tool("pool_list")["items"]}
        self.assertIn(missing, listed["lost"]["unavailable_reason"])
        self.assertNotIn("unavailable_reason", listed["shut"])


if __name__ == "__main__":
    sys.exit(e2e.main(sys.argv[1:], sys.modules[__name__]))
