"""Resources, prompts and completions of the real binary, and what a client that watches them hears.

usage: resources.py [NAME…]   runs the tests whose names hold one of the words
"""
import http.client
import json
import os
import sys

from e2e import JSON, WithScratch, main
from harness import PATIENCE, eventually

META = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {}}


def headers(server, method, name=None):
    return {**JSON, "Accept": "application/json, text/event-stream", "Mcp-Method": method,
            "Authorization": f"Bearer {server.token()}", "MCP-Protocol-Version": "2026-07-28",
            **({"Mcp-Name": name} if name else {})}


def ask(server, method, **params):
    """The result of a request of 2026-07-28, or its error."""
    name = params.get("name") or params.get("uri")
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}
    _, _, body = server.request("POST", "/mcp", json.dumps(message), headers(server, method, name))
    answer = json.loads(body)
    return answer.get("result") or answer["error"]


def text_of(server, uri):
    return ask(server, "resources/read", uri=uri)["contents"][0]["text"]


class Stream:
    """An open subscriptions/listen; what it tells is read when asked for."""

    def __init__(self, server, **wanted):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        message = {"jsonrpc": "2.0", "id": "s", "method": "subscriptions/listen",
                   "params": {"notifications": wanted, "_meta": META}}
        self.connection.request("POST", "/mcp", json.dumps(message), headers(server, "subscriptions/listen"))
        self.lines = self.connection.getresponse()

    def next(self):
        while True:
            line = self.lines.readline().decode()
            if not line:
                raise AssertionError("the stream has ended")
            if line.startswith("data:"):
                return json.loads(line[5:])

    def close(self):
        self.connection.close()


class ResourceTest(WithScratch):
    def listen(self, server, **wanted):
        stream = Stream(server, **wanted)
        self.addCleanup(stream.close)
        acknowledged = stream.next()
        self.assertEqual(acknowledged["method"], "notifications/subscriptions/acknowledged")
        self.assertEqual(acknowledged["params"]["notifications"], wanted)
        return stream

    def test_what_there_is_is_listed_and_read(self):
        self.scratch.repository("one")
        self.assertEqual(self.scratch.run("repos", "scan", "src").returncode, 0)
        server = self.serve()
        templates = {one["uriTemplate"] for one in ask(server, "resources/templates/list")["resourceTemplates"]}
        self.assertEqual(templates, {f"mahavishnu://{path}" for path in
                                     ("task/{task}", "task/{task}/output", "workflow/{workflow}", "pool/{pool}",
                                      "repo/{name}")})
        task = server.tool("task_submit", {"command": "echo built", "repo": "one", "wait_ms": 20000})["task"]
        self.assertEqual(json.loads(text_of(server, f"mahavishnu://task/{task}"))["state"], "completed")
        self.assertEqual(text_of(server, f"mahavishnu://task/{task}/output"), "built\n")
        self.assertEqual(json.loads(text_of(server, "mahavishnu://repo/one"))["name"], "one")
        self.assertEqual(json.loads(text_of(server, "mahavishnu://pool/default"))["name"], "default")
        listed = [one["uri"] for one in ask(server, "resources/list")["resources"]]
        self.assertEqual(listed, ["mahavishnu://metrics"])
        self.assertIn("counters", json.loads(text_of(server, listed[0])))
        for uri in ("mahavishnu://task/nonsense", "mahavishnu://pool/nosuch", "mahavishnu://repo/..%2F..",
                    "mahavishnu://nothing", "file:///etc/passwd"):
            error = ask(server, "resources/read", uri=uri)
            self.assertEqual(error["code"], -32602, uri)
        server.stop()

    def test_output_is_watched_while_it_is_written(self):
        server = self.serve()
        gates = [os.path.join(self.scratch.path, name) for name in ("first", "second")]
        for gate in gates:
            os.mkfifo(gate)
        task = server.tool("task_submit", {"command": f"read x <{gates[0]}; echo one; read x <{gates[1]}; echo two"})
        uri = f"mahavishnu://task/{task['task']}/output"
        stream = self.listen(server, resourceSubscriptions=[uri])
        other = self.listen(server, resourceSubscriptions=["mahavishnu://pool/nosuch"])

        def told_until(text):
            while text not in text_of(server, uri):
                told = stream.next()
                self.assertEqual(told["method"], "notifications/resources/updated")
                self.assertEqual(told["params"]["uri"], uri)

        for gate, text in zip(gates, ("one\n", "two\n")):
            with open(gate, "w", encoding="utf-8") as open_gate:
                open_gate.write("go\n")
            told_until(text)
        server.tool("task_get", {"task": task["task"], "wait_ms": 20000})
        server.tool("pool_spawn", {"name": "nosuch", "max_workers": 1})
        self.assertEqual(other.next()["params"]["uri"], "mahavishnu://pool/nosuch")
        server.stop()

    def test_prompts_hold_the_facts_of_the_moment(self):
        self.scratch.repository("one")
        self.assertEqual(self.scratch.run("repos", "scan", "src").returncode, 0)
        server = self.serve()
        self.assertEqual([one["name"] for one in ask(server, "prompts/list")["prompts"]],
                         ["sweep", "triage", "standup"])

        def says(name, **arguments):
            answer = ask(server, "prompts/get", name=name, arguments=arguments)
            return answer["messages"][0]["content"]["text"] if "messages" in answer else answer

        self.assertIn("one", says("sweep", change="raise the year"))
        self.assertEqual(says("sweep")["code"], -32602)
        server.tool("task_submit", {"command": "echo no such header; exit 3", "wait_ms": 20000})
        eventually(lambda: "no such header" in says("triage"), "the failure is told")
        self.assertIn("exit_code", says("standup", since="1h"))
        found = ask(server, "completion/complete", ref={"type": "ref/prompt", "name": "standup"},
                    argument={"name": "since", "value": "2"})
        self.assertEqual(found["completion"]["values"], ["24h"])
        found = ask(server, "completion/complete", argument={"name": "name", "value": "on"},
                    ref={"type": "ref/resource", "uri": "mahavishnu://repo/{name}"})
        self.assertEqual(found["completion"]["values"], ["one"])
        server.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
