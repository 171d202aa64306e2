"""MCP tasks of the real binary, in both forms: handles that outlive the server, cancelling, expiry,
strangers, questions, and what a client that watches hears.

usage: tasks.py [NAME…]   runs the tests whose names hold one of the words
"""
import http.client
import json
import os
import sys

from access import WithTokens
from e2e import JSON, main
from harness import PATIENCE, eventually

META = "io.modelcontextprotocol/"
TASKS = {"extensions": {META + "tasks": {}}}
FORMS = {**TASKS, "elicitation": {}}
BOTH = {**JSON, "Accept": "application/json, text/event-stream"}


def meta(capabilities):
    return {META + "protocolVersion": "2026-07-28", META + "clientCapabilities": capabilities}


def headers(token, method, params):
    named = params.get("name") or params.get("taskId")
    return {**BOTH, "Authorization": f"Bearer {token}", "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": method, **({"Mcp-Name": named} if named else {})}


class Modern:
    """Requests of 2026-07-28 with one token."""

    def __init__(self, server, token=None, capabilities=None):
        self.server, self.token = server, token or server.token()
        self.capabilities = TASKS if capabilities is None else capabilities

    def ask(self, method, **params):
        """The result, or the error."""
        body = {"jsonrpc": "2.0", "id": 1, "method": method,
                "params": {**params, "_meta": meta(self.capabilities)}}
        _, _, text = self.server.request("POST", "/mcp", json.dumps(body), headers(self.token, method, params))
        answer = json.loads(text)
        return answer.get("result") or answer["error"]

    def call(self, tool, **arguments):
        return self.ask("tools/call", name=tool, arguments=arguments)

    def get(self, task):
        return self.ask("tasks/get", taskId=task)

    def ended(self, task):
        """The task once it is over."""
        eventually(lambda: self.get(task).get("status") not in ("working", "input_required"), "the task is over")
        return self.get(task)

    def listen(self, *tasks):
        """An open stream about them."""
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        body = {"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen",
                "params": {"notifications": {"taskIds": list(tasks)}, "_meta": meta(self.capabilities)}}
        self.connection.request("POST", "/mcp", json.dumps(body), headers(self.token, "subscriptions/listen", {}))
        lines = self.connection.getresponse()
        while line := lines.readline().decode():
            if line.startswith("data:"):
                yield json.loads(line[5:])


class WithWork(WithTokens):
    def gate(self):
        """A command that waits until it is let through."""
        self.fifo, self.begun = (os.path.join(self.scratch.path, name) for name in ("gate", "begun"))
        os.mkfifo(self.fifo)
        return f"touch {self.begun}; read x <{self.fifo}"

    def at_gate(self):
        """Its work runs: what a kill of the server finds can be adopted."""
        eventually(lambda: os.path.exists(self.begun), "the work has begun")

    def let_through(self):
        gate = os.open(self.fifo, os.O_RDWR)  # never waits for a reader
        self.addCleanup(os.close, gate)
        os.write(gate, b"go\n")


class TaskTest(WithWork):
    def serve_again(self, server, *flags):
        server.kill()
        return self.serve(*flags)

    def test_a_handle_is_good_after_kill_9(self):
        server = self.serve()
        client = Modern(server)
        made = client.call("task_submit", command=f"{self.gate()}; echo survived")
        self.assertEqual((made["resultType"], made["status"], made["ttlMs"]), ("task", "working", None))
        run = client.call("workflow_run", steps=[{"id": "a", "command": "true"}], over={"all": True})
        self.assertTrue(run["isError"])  # there is no repository
        self.at_gate()
        server = self.serve_again(server)
        client = Modern(server)
        again = client.get(made["taskId"])
        self.assertEqual((again["resultType"], again["status"]), ("complete", "working"))
        self.assertEqual(again["createdAt"], made["createdAt"])
        self.let_through()
        done = client.ended(made["taskId"])
        self.assertEqual(done["status"], "completed")
        self.assertEqual(done["result"]["structuredContent"]["result"]["text"], "survived\n")
        self.assertEqual(done["result"]["resultType"], "complete")
        self.assertGreaterEqual(done["ttlMs"], 24 * 3600 * 1000)
        server = self.serve_again(server)
        self.assertEqual(Modern(server).get(made["taskId"])["result"]["structuredContent"]["state"], "completed")
        server.stop()

    def test_work_that_is_done_within_the_wait_is_no_task(self):
        server = self.serve()
        done = Modern(server).call("task_submit", command="echo x", wait_ms=20000)
        self.assertEqual((done["resultType"], done["structuredContent"]["state"]), ("complete", "completed"))
        plain = Modern(server, capabilities={}).call("task_submit", command="echo x")
        self.assertEqual(plain["resultType"], "complete")
        server.stop()

    def test_a_workflow_is_a_task_and_is_cancelled_as_one(self):
        self.scratch.repository("one")
        self.assertEqual(self.scratch.run("repos", "scan", "src").returncode, 0)
        server = self.serve()
        client = Modern(server)
        made = client.call("workflow_run", steps=[{"id": "a", "command": "echo built"}], over={"all": True})
        self.assertEqual(made["resultType"], "task")
        done = client.ended(made["taskId"])
        self.assertEqual(done["result"]["structuredContent"]["state"], "completed")
        self.assertEqual(len(done["result"]["structuredContent"]["cells"]), 1)
        made = client.call("workflow_run", steps=[{"id": "a", "command": "sleep 1000"}], over={"all": True})
        self.assertEqual(client.ask("tasks/cancel", taskId=made["taskId"])["resultType"], "complete")
        self.assertEqual(client.ended(made["taskId"])["status"], "cancelled")
        server.stop()

    def test_a_batch_is_one_task_and_is_cancelled_as_one(self):
        server = self.serve()
        client = Modern(server)
        tasks = [{"command": "echo a"}, {"comand": "typo"}, {"command": f"{self.gate()}; echo c"}]
        made = client.call("task_batch", tasks=tasks)
        self.assertEqual((made["resultType"], made["status"]), ("task", "working"))
        self.assertIn("item 1: task: give exactly one of command", made["statusMessage"])
        self.at_gate()
        server = self.serve_again(server)
        client = Modern(server)
        again = client.get(made["taskId"])
        self.assertEqual((again["status"], again["createdAt"]), ("working", made["createdAt"]))
        self.assertIn("/2 tasks", again["statusMessage"])
        stream = client.listen(made["taskId"])
        next(stream)  # it listens
        self.let_through()
        told = next(stream)
        while told["params"]["status"] == "working":
            told = next(stream)
        client.connection.close()
        done = client.ended(made["taskId"])
        self.assertEqual((told["params"]["status"], done["status"]), ("completed", "completed"))
        answer = done["result"]["structuredContent"]
        self.assertEqual((answer["counts"], answer["refused"]), ({"completed": 2}, 1))
        self.assertEqual([one is None for one in answer["tasks"]], [False, True, False])
        made = client.call("task_batch", tasks=[{"command": "sleep 1000"}] * 3)
        self.assertEqual(client.ask("tasks/cancel", taskId=made["taskId"])["resultType"], "complete")
        self.assertEqual(client.ended(made["taskId"])["status"], "cancelled")
        server.stop()

    def test_a_batch_that_is_done_or_was_handed_in_before_is_no_task(self):
        server = self.serve()
        client = Modern(server)
        done = client.call("task_batch", tasks=[{"command": "true"}], wait_ms=20000)
        self.assertEqual((done["resultType"], done["structuredContent"]["counts"]), ("complete", {"completed": 1}))
        keyed = [{"command": "sleep 1000", "idempotency_key": "k"}]
        self.assertEqual(client.call("task_batch", tasks=keyed)["resultType"], "task")
        again = client.call("task_batch", tasks=[*keyed, {"command": "true"}])
        self.assertEqual((again["resultType"], len(again["structuredContent"]["tasks"])), ("complete", 2))
        refused = client.call("task_batch", tasks=[{"comand": "typo"}])
        self.assertEqual((refused["resultType"], refused["structuredContent"]["refused"]), ("complete", 1))
        server.stop()

    def test_cancelling_ends_the_work_and_a_stranger_cannot(self):
        server = self.serve("--toolsets", "all")
        mine = Modern(server, self.token("mine", "--scope", "run"))
        others = [Modern(server, self.token("other", "--scope", "run")), Modern(server)]
        eventually(lambda: "resultType" in mine.ask("server/discover"), "the tokens are known")
        eventually(lambda: "resultType" in others[0].ask("server/discover"), "the tokens are known")
        task = mine.call("task_submit", command="sleep 1000")["taskId"]
        work = task.split(".")[0]
        for stranger in others:
            for method, more in (("tasks/get", {}), ("tasks/cancel", {}), ("tasks/update", {"inputResponses": {}})):
                refused = stranger.ask(method, taskId=task, **more)
                self.assertIn(refused["code"], (-32602, -32600), refused)
        for made_up in (work, work + ".", work + "." + "A" * 43 + "=", "task_x.y"):
            self.assertEqual(mine.get(made_up)["code"], -32602, made_up)
        self.assertEqual(mine.get(task)["status"], "working")
        for _ in range(2):
            self.assertEqual(mine.ask("tasks/cancel", taskId=task)["resultType"], "complete")
        self.assertEqual(mine.ended(task)["status"], "cancelled")
        ended = server.tool("task_get", {"task": work})
        self.assertEqual((ended["state"], ended["reason"]), ("cancelled", "cancelled_by_caller"))
        rows = server.tool("audit_search", {"caller": "mine"})["items"]
        self.assertIn(("task_submit", work), [(row["tool"], row.get("made")) for row in rows])
        self.assertIn("task_cancel", [row["tool"] for row in rows])
        server.stop()

    def test_a_handle_expires_after_its_end_and_says_so(self):
        server = self.serve()
        client = Modern(server)
        task = client.call("task_submit", command=self.gate())["taskId"]
        self.at_gate()
        with open(os.path.join(self.scratch.path, "config.yaml"), "w", encoding="utf-8") as config:
            config.write("tasks.keep: 1\n")
        server = self.serve_again(server, "--config", os.path.join(self.scratch.path, "config.yaml"))
        client = Modern(server)
        self.assertEqual(client.get(task)["status"], "working")  # never while it works
        self.let_through()
        eventually(lambda: "code" in client.get(task), "the handle has expired")
        error = client.get(task)
        self.assertEqual(error["code"], -32602)
        self.assertIn("expired", error["message"])
        self.assertEqual(server.tool("task_get", {"task": task.split(".")[0]})["state"], "completed")
        server.stop()

    def test_who_watches_a_task_is_told_of_its_end(self):
        server = self.serve()
        client = Modern(server)
        task = client.call("task_submit", command=f"{self.gate()}; echo told")["taskId"]
        stream = client.listen(task, "task_x.y")
        self.assertEqual(next(stream)["params"]["notifications"], {"taskIds": [task]})
        self.let_through()
        told = next(stream)
        while told["params"]["status"] == "working":
            told = next(stream)
        self.assertEqual((told["method"], told["params"]["status"]), ("notifications/tasks", "completed"))
        self.assertEqual(told["params"]["result"]["structuredContent"]["result"]["text"], "told\n")
        client.connection.close()
        server.stop()

    def busy_pool(self, server, name):
        server.tool("pool_spawn", {"name": name, "max_workers": 1})
        task = server.tool("task_submit", {"command": self.gate(), "pool": name})["task"]
        self.at_gate()
        return task

    def test_closing_a_busy_pool_asks_what_becomes_of_its_work(self):
        server = self.serve()
        client = Modern(server, capabilities=FORMS)
        running = self.busy_pool(server, "busy")
        made = client.call("pool_close", pool="busy", mode="now")
        self.assertEqual(made["resultType"], "task")
        server = self.serve_again(server)
        client = Modern(server, capabilities=FORMS)
        asked = client.get(made["taskId"])
        self.assertEqual(asked["status"], "input_required")
        (key, question), = asked["inputRequests"].items()
        self.assertEqual(question["method"], "elicitation/create")
        self.assertEqual(question["params"]["requestedSchema"]["properties"]["work"]["enum"], ["drain", "abort"])
        for nonsense in ({"nobody": {"action": "accept"}}, {key: {"action": "accept", "content": {"work": "x"}}}):
            client.ask("tasks/update", taskId=made["taskId"], inputResponses=nonsense)
        self.assertEqual(client.get(made["taskId"])["status"], "input_required")
        self.assertEqual(server.tool("task_get", {"task": running})["state"], "running")
        answer = {key: {"action": "accept", "content": {"work": "abort"}}}
        self.assertEqual(client.ask("tasks/update", taskId=made["taskId"], inputResponses=answer)["resultType"],
                         "complete")
        done = client.ended(made["taskId"])
        self.assertEqual(done["status"], "completed")
        counts = done["result"]["structuredContent"]
        self.assertEqual((counts["cancelled"], counts["finished"], counts["still_draining"]), (1, 0, 0))
        self.assertEqual(server.tool("task_get", {"task": running})["state"], "cancelled")
        server.stop()

    def test_who_declines_leaves_the_pool_as_it_is(self):
        server = self.serve()
        running = self.busy_pool(server, "busy")
        client = Modern(server, capabilities=FORMS)
        made = client.call("pool_close", pool="busy", mode="now")
        client.ask("tasks/update", taskId=made["taskId"], inputResponses={"closing": {"action": "decline"}})
        self.assertEqual(client.get(made["taskId"])["status"], "cancelled")
        # Without the extension the same question is a round of the call itself.
        rounds = Modern(server, capabilities={"elicitation": {}})
        asked = rounds.call("pool_close", pool="busy", mode="now")
        self.assertEqual(asked["resultType"], "input_required")
        said = {"closing": {"action": "decline"}}
        left = rounds.ask("tools/call", name="pool_close", arguments={"pool": "busy", "mode": "now"},
                          inputResponses=said, requestState=asked["requestState"])
        self.assertTrue(left["isError"])
        self.assertEqual(server.tool("task_get", {"task": running})["state"], "running")
        # Who cannot be asked is taken at its word.
        self.assertEqual(server.tool("pool_close", {"pool": "busy", "mode": "now", "wait_ms": 20000})["cancelled"], 1)
        self.assertEqual(client.get(made["taskId"])["status"], "cancelled")  # an end stays the end
        server.stop()


class LegacyTest(WithWork):
    """The experiment of 2025-11-25, over stdio and HTTP."""

    def begin(self, server):
        """Headers of a new session."""
        hello = {"protocolVersion": "2025-11-25", "capabilities": {"elicitation": {}},
                 "clientInfo": {"name": "t", "version": "1"}}
        named = {**BOTH, "Authorization": f"Bearer {server.token()}"}
        body = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
        _, got, text = server.request("POST", "/mcp", json.dumps(body), named)
        told = json.loads(text)["result"]["capabilities"]["tasks"]
        self.assertEqual(told, {"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}})
        return {**named, "Mcp-Session-Id": got["Mcp-Session-Id"]}

    def ask(self, server, session, method, **params):
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        _, got, text = server.request("POST", "/mcp", json.dumps(body), session)
        if got["Content-Type"] == "text/event-stream":  # it took longer than half a second
            text = [line[5:] for line in text.splitlines() if line.startswith(b"data:") and line[5:].strip()][-1]
        answer = json.loads(text)
        return answer.get("result") or answer["error"]

    def test_a_demanded_task_is_good_after_kill_9(self):
        server = self.serve()
        session = self.begin(server)
        made = self.ask(server, session, "tools/call", name="task_submit", task={"ttl": 60000},
                        arguments={"command": f"{self.gate()}; echo survived"})["task"]
        self.assertEqual(made["status"], "working")
        self.assertIn("ttl", made)
        self.at_gate()
        server.kill()
        server = self.serve()
        session = self.begin(server)
        listed = self.ask(server, session, "tasks/list")
        if listed["tasks"] == []:
            listed = self.ask(server, session, "tasks/list", cursor=listed["nextCursor"])
        self.assertEqual([one["taskId"] for one in listed["tasks"]], [made["taskId"]])
        self.let_through()
        result = self.ask(server, session, "tasks/result", taskId=made["taskId"])
        self.assertEqual(result["structuredContent"]["result"]["text"], "survived\n")
        self.assertEqual(result["_meta"][META + "related-task"], {"taskId": made["taskId"]})
        self.assertEqual(self.ask(server, session, "tasks/cancel", taskId=made["taskId"])["code"], -32602)
        made = self.ask(server, session, "tools/call", name="task_submit", task={},
                        arguments={"command": "sleep 1000"})["task"]
        self.assertEqual(self.ask(server, session, "tasks/cancel", taskId=made["taskId"])["status"], "cancelled")
        refused = self.ask(server, session, "tools/call", name="repo_list", task={})
        self.assertEqual(refused["code"], -32601)
        batch = [{"command": "true", "idempotency_key": "k"}]
        made = self.ask(server, session, "tools/call", name="task_batch", task={}, arguments={"tasks": batch})["task"]
        result = self.ask(server, session, "tasks/result", taskId=made["taskId"])
        self.assertEqual(result["structuredContent"]["counts"], {"completed": 1})
        for tasks, why in ((batch, "handed in before"), ([{"comand": "x"}], "exactly one of command")):
            refused = self.ask(server, session, "tools/call", name="task_batch", task={}, arguments={"tasks": tasks})
            self.assertTrue(refused["isError"])
            self.assertIn(why, refused["content"][0]["text"])
        server.stop()

    def test_the_status_of_a_task_is_told_on_stdio(self):
        client = self.speak()
        client.send({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
            "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}})
        client.receive()
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        client.send({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
            "name": "task_submit", "arguments": {"command": self.gate()}, "task": {}}})
        answer = client.receive()
        while "id" not in answer:
            answer = client.receive()
        made = answer["result"]["task"]
        self.let_through()
        told = client.receive()
        while told["params"]["status"] == "working":
            told = client.receive()
        self.assertEqual(told["method"], "notifications/tasks/status")
        self.assertEqual((told["params"]["taskId"], told["params"]["status"]), (made["taskId"], "completed"))
        client.finish()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
