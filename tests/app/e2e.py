"""The real binary from end to end: stdio by hand, HTTP, the verbs, bad days.

usage: e2e.py [NAME…]   runs the tests whose names hold one of the words
"""
import http.server
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import (BINARY, PATIENCE, Http, Scratch, SmallDisk, Stdio, eventually,  # noqa: E402
                     first_refusal, processes_with, submit)

JSON = {"Content-Type": "application/json"}
HELLO = {"jsonrpc": "2.0", "id": 0, "method": "initialize",
         "params": {"protocolVersion": "2025-11-25", "capabilities": {},
                    "clientInfo": {"name": "by hand", "version": "0"}}}


def request(number, method, **params):
    return {"jsonrpc": "2.0", "id": number, "method": method, **({"params": params} if params else {})}


class WithScratch(unittest.TestCase):
    def setUp(self):
        self.scratch = Scratch()
        self.addCleanup(self.no_process_left)

    def no_process_left(self):
        """Whatever a test did: nothing that it started stays."""
        try:
            eventually(lambda: not processes_with(self.scratch.path), "all processes of the test ended")
        except AssertionError:
            left = processes_with(self.scratch.path)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            self.fail(f"processes left behind: {left}")
        finally:
            self.scratch.close()

    def serve(self, *flags, **options):
        server = Http(self.scratch, *flags, **options)
        self.addCleanup(server.kill)
        return server

    def speak(self, *flags):
        client = Stdio(self.scratch, *flags)
        self.addCleanup(client.kill)
        return client


class StdioTest(WithScratch):
    def test_a_bare_tools_list_is_answered(self):
        client = self.speak()
        answer = client.ask('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
        self.assertEqual(answer["id"], 1)
        self.assertEqual(answer["result"]["tools"][0]["name"], "repo_list")
        self.assertEqual(client.finish(), ([], 0))

    def test_a_handshake_and_a_call(self):
        self.scratch.repositories(("one", self.scratch.repository("one"), ["t"]))
        client = self.speak()
        self.assertEqual(client.ask(HELLO)["result"]["protocolVersion"], "2025-11-25")
        client.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
        answer = client.ask(request(2, "tools/call", name="repo_list", arguments={}))
        items = answer["result"]["structuredContent"]["items"]
        self.assertEqual([(item["name"], item["branch"]) for item in items], [("one", "main")])
        self.assertEqual(client.finish()[1], 0)

    def test_nonsense_gets_an_error_and_the_next_line_an_answer(self):
        client = self.speak()
        for nonsense in ("{", "nonsense", "[]", "7", '{"jsonrpc":"2.0"}', "\udcff\udcfe", "[" * 200,
                         '{"jsonrpc":"2.0","id":1e400,"method":"ping"}'):
            line = nonsense.encode("utf-8", "surrogateescape")
            self.assertIn("error", client.ask(line), nonsense)
        self.assertEqual(client.ask(request(9, "ping")), {"jsonrpc": "2.0", "id": 9, "result": {}})
        self.assertEqual(client.finish()[1], 0)

    def test_a_message_over_the_limit_is_refused_and_the_next_one_answered(self):
        client = self.speak()
        client.send(json.dumps(request(1, "ping", filler="x" * (16 << 20))))
        self.assertIn("error", client.receive())
        self.assertEqual(client.ask(request(2, "ping"))["id"], 2)
        self.assertEqual(client.finish()[1], 0)

    def test_the_end_of_input_answers_what_is_in_flight(self):
        client = self.speak()
        for number in range(20):
            client.send(request(number, "tools/call", name="task_submit",
                                arguments={"command": "echo done", "wait_ms": 20000}))
        rest, code = client.finish()
        self.assertEqual(sorted(answer["id"] for answer in rest), list(range(20)))
        self.assertTrue(all(answer["result"]["structuredContent"]["state"] == "completed" for answer in rest))
        self.assertEqual(code, 0)

    def test_stdout_carries_the_protocol_only(self):
        self.scratch.file("config/mahavishnu/repos.yaml", "repos: []\n")
        client = self.speak("--log-level", "trace")
        client.ask(request(1, "tools/call", name="task_submit", arguments={"command": "echo to-stdout", "wait_ms": 20000}))
        rest, code = client.finish()
        self.assertEqual((rest, code), ([], 0))

    def test_read_only_hides_what_changes_state(self):
        client = self.speak("--read-only")
        names = {tool["name"] for tool in client.ask(request(1, "tools/list"))["result"]["tools"]}
        self.assertIn("task_get", names)
        self.assertNotIn("task_submit", names)
        refused = client.ask(request(2, "tools/call", name="task_submit", arguments={"command": "true"}))
        self.assertTrue("error" in refused or refused["result"].get("isError"), refused)
        client.finish()

    def test_work_of_a_client_that_vanished_goes_on(self):
        marker = os.path.join(self.scratch.path, "done")
        client = self.speak()
        answer = client.ask(request(1, "tools/call", name="task_submit",
                                    arguments={"command": f"sleep 0.3; touch {marker}"}))
        self.assertFalse(answer["result"].get("isError", False), answer)
        client.finish()
        self.assertTrue(os.path.exists(marker))


class HttpTest(WithScratch):
    def test_the_token_is_made_once_shown_once_and_needed(self):
        server = self.serve()
        token = server.token()
        self.assertGreaterEqual(len(token), 43)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(self.scratch.data, "token")).st_mode), 0o600)
        log = server.log()
        for words in ("claude mcp add", "mcpServers", '"servers"', "curl -s", token):
            self.assertIn(words, log)
        body = json.dumps({"name": "repo_list", "arguments": {}})
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {token}"}):
            status, answer_headers, _ = server.request("POST", "/tools/call", body, {**JSON, **headers})
            self.assertEqual(status, 401)
            self.assertIn("Bearer", answer_headers["WWW-Authenticate"])
        self.assertIn("items", server.tool("repo_list"))
        self.assertEqual(server.stop(), 0)
        again = self.serve()
        self.assertEqual(again.token(), token)
        self.assertNotIn(token, again.log())
        again.stop()

    def test_health_needs_no_token(self):
        server = self.serve()
        self.assertEqual(server.request("GET", "/livez")[0], 200)
        status, _, body = server.request("GET", "/readyz")
        self.assertEqual((status, json.loads(body)["ready"]), (200, True))
        server.stop()

    def test_the_url_says_which_tools_there_are(self):
        server = self.serve()
        meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {}}

        def ask(path, method, **params):
            headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream",
                       "Authorization": f"Bearer {server.token()}", "MCP-Protocol-Version": "2026-07-28",
                       "Mcp-Method": method}
            if "name" in params:
                headers["Mcp-Name"] = params["name"]
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
            status, _, body = server.request("POST", path, json.dumps(message), headers)
            return status, json.loads(body)

        def names(path):
            return {tool["name"] for tool in ask(path, "tools/list")[1]["result"]["tools"]}

        everything = names("/mcp")
        self.assertTrue({"repo_list", "task_submit"} <= everything)
        self.assertEqual({"repo_list", "task_submit", "task_get"} & names("/mcp/readonly"), {"repo_list", "task_get"})
        self.assertTrue({"breaker_list", "cache_stats"} <= names("/mcp/x/ops"))
        self.assertFalse(everything & names("/mcp/x/ops"))
        self.assertNotIn("cache_invalidate", names("/mcp/x/ops/readonly"))
        _, refused = ask("/mcp/readonly", "tools/call", name="task_submit", arguments={"argv": ["/bin/true"]})
        self.assertIn("read-only", refused["error"]["message"])
        self.assertEqual(server.tool("task_list")["items"], [])
        status, refused = ask("/mcp/x/nosuch", "tools/list")
        self.assertEqual(status, 404)
        self.assertIn("there are core", refused["error"]["message"])
        self.assertEqual(server.request("POST", "/mcp/x/ops", "{}", {"Content-Type": "application/json"})[0], 401)
        server.stop()

    def test_metrics_have_a_listener_of_their_own_if_asked(self):
        server = self.serve(env={"MAHAVISHNU_METRICS_LISTEN": "127.0.0.1:0"})
        told = re.compile(r"metrics without a token on (http://\S+)/metrics")
        eventually(lambda: told.search(server.log()), "it says where")
        url = told.search(server.log()).group(1)
        for path, text in (("/metrics", b"mahavishnu_build_info"), ("/livez", b"alive"), ("/readyz", b"ready")):
            with urllib.request.urlopen(url + path, timeout=PATIENCE) as answer:
                self.assertIn(text, answer.read())
        for path in ("/mcp", "/tools/call", "/"):
            with self.assertRaises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(url + path, timeout=PATIENCE)
            self.assertEqual(refused.exception.code, 404)
        with self.assertRaises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(url + "/metrics", data=b"x", timeout=PATIENCE)
        self.assertIn(refused.exception.code, (413, 415))
        self.assertEqual(server.request("GET", "/metrics")[0], 401)
        self.assertEqual(server.stop(), 0)
        done = self.scratch.run("serve", "--http", "127.0.0.1:0", env={"MAHAVISHNU_METRICS_LISTEN": "0.0.0.0:0"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no loopback address", done.stderr)

    def test_metrics_tell_every_stage_of_a_task(self):
        server = self.serve()
        server.tool("task_submit", {"argv": ["/bin/true"], "wait_ms": 20000})
        self.assertEqual(server.request("GET", "/metrics")[0], 401)
        bearer = {"Authorization": f"Bearer {server.token()}"}

        def stages():
            status, headers, body = server.request("GET", "/metrics", None, bearer)
            self.assertEqual(status, 200)
            self.assertTrue(headers["Content-Type"].startswith("text/plain; version=0.0.4"))
            return set(re.findall(r'mahavishnu_duration_seconds_count\{operation="stage\.(\w+)"\}', body.decode()))

        wanted = {"admit", "schema", "control_wait", "journal", "capacity_wait", "spawn", "run", "collect",
                  "loop_lag"}  # and "reply" where an answer becomes a message of MCP
        eventually(lambda: stages() == wanted, "every stage is clocked")
        body = server.request("GET", "/metrics", None, bearer)[2].decode()
        for line in ('operation="tools/call task_submit"', 'operation="http /tools/call"',
                     'mahavishnu_events_total{kind="tasks.admitted"} 1', "mahavishnu_build_info"):
            self.assertIn(line, body)
        server.stop()

    def test_log_search_finds_changes_and_lines(self):
        server = self.serve("--log-level", "debug")
        failed = server.tool("task_submit", {"command": "exit 3", "wait_ms": 20000})["task"]

        def kinds(**filters):
            return [item["kind"] for item in server.tool("log_search", filters)["items"]]

        # A change is told once it is on the disk, which may be a moment after its answer.
        eventually(lambda: kinds(task=failed) == ["task_failed", "task_running", "task_admitted"],
                   "the task's history")
        self.assertEqual(kinds(task=failed, level="warn"), ["task_failed"])
        self.assertIn("task_failed", kinds(pool="default"))
        self.assertIn("log", kinds(query="tools/call task_submit took"))
        self.assertEqual(kinds(query='" OR 1=1 -- %_*'), [])
        self.assertEqual(kinds(until="2001-01-01T00:00:00Z"), [])
        first = server.tool("log_search", {"limit": 1, "since": "2001-01-01T00:00:00Z"})
        self.assertEqual(len(first["items"]), 1)
        second = server.tool("log_search", {"limit": 1, "cursor": first["next_cursor"]})
        self.assertLessEqual(second["items"][0]["time"], first["items"][0]["time"])
        counters = server.tool("metrics_get", {"names": ["journal_events", "log_lines"]})["counters"]
        self.assertEqual((counters["journal_events_dropped"], counters["log_lines_dropped"]), (0, 0))
        self.assertGreater(counters["journal_events"], 3)
        server.stop()

    def test_lines_go_to_a_file_when_one_is_named(self):
        path = os.path.join(self.scratch.path, "lines.log")
        server = self.serve(env={"MAHAVISHNU_LOG_FILE": path, "MAHAVISHNU_LOG_LEVEL": "debug",
                                 "MAHAVISHNU_LOG_MAX_BYTES": "0"})
        server.tool("repo_list", {})
        self.assertIn("log.max_bytes", server.tool("log_search", status=503)["error"]["message"])
        server.stop()
        with open(path, encoding="utf-8") as file:
            self.assertIn("tools/call repo_list took", file.read())
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)

    def test_the_doors_are_shut_to_strangers(self):
        server = self.serve()
        good = {**JSON, "Authorization": f"Bearer {server.token()}"}
        body = json.dumps({"name": "repo_list", "arguments": {}})
        self.assertEqual(server.request("POST", "/tools/call", body, {**good, "Host": "evil.example"})[0], 403)
        self.assertEqual(server.request("POST", "/tools/call", body, {**good, "Origin": "http://evil.example"})[0], 403)
        self.assertEqual(server.request("POST", "/tools/call", body, {**good, "Content-Type": "text/plain"})[0], 415)
        self.assertEqual(server.request("GET", "/tools/call", None, good)[0], 405)
        self.assertEqual(server.request("GET", "/nowhere", None, good)[0], 404)
        server.stop()

    def test_bad_bodies_are_clear_errors(self):
        server = self.serve()
        good = {**JSON, "Authorization": f"Bearer {server.token()}"}
        for body, status in ((b"{", 400), (b"[]", 400), (b"\xff\xfe", 400), (b'{"name":7}', 400),
                             (b'{"name":"no_such_tool","arguments":{}}', 404),
                             (b'{"name":"task_get","arguments":{"task":"task_00000000000000000000000000"}}', 404),
                             (b'{"name":"task_submit","arguments":{"comand":"true"}}', 400),
                             (b'{"a":' * 200 + b"1" + b"}" * 200, 400)):
            got, _, answer = server.request("POST", "/tools/call", body, good)
            self.assertEqual(got, status, (body[:60], answer[:300]))
            self.assertTrue(json.loads(answer)["error"]["message"], body[:60])
        self.assertEqual(server.announce(5 << 20, good), 413)
        self.assertIn("items", server.tool("repo_list"))
        server.stop()

    def test_mcp_over_http_lists_and_calls(self):
        server = self.serve()
        good = {**JSON, "Authorization": f"Bearer {server.token()}", "Accept": "application/json, text/event-stream"}
        status, headers, body = server.request("POST", "/mcp", json.dumps(HELLO), good)
        self.assertEqual(status, 200, body)
        session = headers.get("Mcp-Session-Id")
        good.update({"Mcp-Protocol-Version": "2025-11-25", **({"Mcp-Session-Id": session} if session else {})})
        status, _, body = server.request("POST", "/mcp", json.dumps(request(1, "tools/list")), good)
        self.assertEqual(status, 200, body)
        self.assertIn(b"repo_list", body)
        server.stop()

    def test_no_auth_is_for_loopback_and_said_loudly(self):
        refused = self.scratch.run("serve", "--http", "0.0.0.0:0", "--no-auth")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("loopback", refused.stderr)
        server = self.serve("--no-auth")
        self.assertIn("WARNING", server.log())
        body = json.dumps({"name": "repo_list", "arguments": {}})
        self.assertEqual(server.request("POST", "/tools/call", body, JSON)[0], 200)
        server.stop()

    def test_a_port_in_use_says_so(self):
        server = self.serve()
        other = Scratch()
        self.addCleanup(other.close)
        refused = other.run("serve", "--http", f"127.0.0.1:{server.port}")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(str(server.port), refused.stderr)
        server.stop()


class MemoryTest(WithScratch):
    TOKEN = "ghp_" + "Q" * 36

    def found(self, server, query, **more):
        """The hits, once everything on disk is in the index."""
        answers = []

        def caught_up():
            answers.append(server.tool("memory_search", {"query": query, **more}))
            return answers[-1]["sources"] == [{"source": "local", "answered": True, "behind": 0}]

        eventually(caught_up, "the index has caught up")
        return answers[-1]["hits"]

    def run_task(self, server, command, **more):
        return server.tool("task_submit", {"command": command, "wait_ms": 20000, **more})

    def test_what_ended_is_found_after_kill_9_and_secrets_are_not(self):
        server = self.serve()
        task = self.run_task(server, f"echo password={self.TOKEN}; printf 'a\\0b\\377'; echo frobnication failed; exit 3",
                             labels={"team": "core"})
        self.assertEqual(task["state"], "failed")
        note = server.tool("memory_store", {"content": f"The key is {self.TOKEN}", "tags": ["ops"], "dedup_key": "k"})
        self.assertEqual(note["status"], "stored")
        server.kill()
        server = self.serve()
        hits = self.found(server, "frobnication", tags=["team=core"])
        self.assertEqual([(hit["task"], hit["state"], hit["exit_code"]) for hit in hits], [(task["task"], "failed", 3)])
        self.assertIn("**frobnication**", hits[0]["snippet"])
        self.assertIn("password=[redacted]", hits[0]["title"])
        again = server.tool("memory_store", {"content": "another", "dedup_key": "k"})
        self.assertEqual(again, {"memory": note["memory"], "status": "duplicate"})
        self.assertEqual([hit["memory"] for hit in self.found(server, "key", tags=["ops"])], [note["memory"]])
        self.assertEqual(self.found(server, self.TOKEN), [])
        pool = server.tool("pool_monitor")["items"][0]
        self.assertEqual(pool["memory_count"], 1)
        self.assertEqual(server.stop(), 0)
        for name in os.listdir(self.scratch.data):
            if name.startswith("search.db"):
                with open(os.path.join(self.scratch.data, name), "rb") as file:
                    self.assertNotIn(b"QQQQQQQQ", file.read(), name)

    def test_words_are_no_syntax_and_bad_input_is_told(self):
        server = self.serve()
        self.run_task(server, "echo 'one \"two\" three'")
        for query in ('"two', "NEAR(", "one AND", "tw* -one", "'; DROP TABLE words; --"):
            self.found(server, query)
        self.assertEqual(len(self.found(server, '"two" three')), 1)
        for query in ("", " ", "* -"):
            server.tool("memory_search", {"query": query}, status=400)
        server.tool("memory_store", {"content": "x" * 70000}, status=400)
        server.tool("memory_store", {"content": " "}, status=400)
        server.stop()

    def test_a_bad_pattern_is_named_with_its_place_and_a_good_one_is_used(self):
        path = self.scratch.file("config/mahavishnu/config.yaml", "memory:\n  redact: ['ACME-\\d+', 'a(b']\n")
        refused = self.scratch.run("config", "show")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("a(b", refused.stderr)
        self.assertIn(f"{path}:2", refused.stderr)
        self.scratch.file("config/mahavishnu/config.yaml", "memory:\n  redact: ['ACME-\\d+']\n")
        server = self.serve()
        self.run_task(server, "echo licence ACME-1234")
        self.assertIn("[redacted]", self.found(server, "licence")[0]["title"])
        server.stop()

    def test_memories_can_be_off(self):
        self.scratch.file("config/mahavishnu/config.yaml", "memory: {enabled: false}\n")
        server = self.serve()
        self.run_task(server, "echo x")
        server.tool("memory_search", {"query": "x"}, status=503)
        self.assertFalse(os.path.exists(os.path.join(self.scratch.data, "search.db")))
        server.stop()


class LifeTest(WithScratch):
    def test_one_server_owns_a_data_directory(self):
        server = self.serve()
        refused = self.scratch.run("serve", "--stdio", "--in-process")
        self.assertEqual(refused.returncode, 1)
        self.assertIn(f"pid {server.process.pid}", refused.stderr)
        other = self.scratch.run("serve", "--http", "127.0.0.2:0")
        self.assertEqual(other.returncode, 1)
        self.assertIn(f"already listens on http://127.0.0.1:{server.port}", other.stderr)
        server.stop()

    def test_after_kill_9_everything_accepted_is_known_and_runs(self):
        server = self.serve()
        server.tool("pool_spawn", {"name": "narrow", "max_workers": 1})
        log = os.path.join(self.scratch.path, "log")
        tasks = [server.tool("task_submit", {"pool": "narrow", "command": f"sleep 0.05; echo {number} >> {log}",
                                             "retry": {"max_attempts": 5, "backoff_ms": 10}})["task"]
                 for number in range(20)]
        server.signal(signal.SIGKILL)
        server.wait()
        again = self.serve()
        for task in tasks:
            self.assertEqual(again.tool("task_get", {"task": task, "wait_ms": 40000})["state"], "completed")
        self.assertIn("narrow", [pool["name"] for pool in again.tool("pool_list")["items"]])
        with open(log, encoding="utf-8") as lines:
            self.assertEqual(set(map(int, lines)), set(range(20)))
        again.stop()

    def test_an_idempotency_key_holds_over_a_kill(self):
        server = self.serve()
        first = server.tool("task_submit", {"command": "true", "idempotency_key": "k"})["task"]
        server.signal(signal.SIGKILL)
        server.wait()
        again = self.serve()
        self.assertEqual(again.tool("task_submit", {"command": "true", "idempotency_key": "k"})["task"], first)
        again.stop()

    def test_term_lets_running_work_end_and_takes_no_new(self):
        server = self.serve()
        marker = os.path.join(self.scratch.path, "done")
        task = server.tool("task_submit", {"command": f"sleep 1; touch {marker}"})["task"]
        eventually(lambda: server.tool("task_get", {"task": task})["state"] == "running", "the task runs")
        server.signal()
        eventually(lambda: server.request("GET", "/readyz")[0] == 503, "it says that it is draining")
        refused = server.tool("task_submit", {"command": "true"}, status=503)
        self.assertEqual(refused["error"]["code"], "Unavailable")
        self.assertEqual(server.wait(), 0)
        self.assertTrue(os.path.exists(marker))

    def test_term_answers_calls_that_wait(self):
        server = self.serve()
        server.tool("pool_spawn", {"name": "still"})
        server.tool("pool_scale", {"pool": "still", "paused": True})
        waiting = threading.Thread(target=lambda: answers.append(
            server.request("POST", "/tools/call", json.dumps(
                {"name": "task_submit", "arguments": {"command": "true", "pool": "still", "wait_ms": 45000}}),
                {**JSON, "Authorization": f"Bearer {server.token()}"})))
        answers = []
        waiting.start()
        eventually(lambda: server.tool("task_list", {"pool": "still"})["items"], "the task is queued")
        self.assertEqual(server.stop(), 0)
        waiting.join()
        self.assertIn(answers[0][0], (200, 503), answers)

    def test_term_stops_what_does_not_end_within_the_grace(self):
        server = self.serve(env={"MAHAVISHNU_SHUTDOWN_GRACE_MS": "200"})
        task = server.tool("task_submit", {"command": "sleep 600"})["task"]
        eventually(lambda: server.tool("task_get", {"task": task})["state"] == "running", "the task runs")
        started = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - started, 20)

    def test_a_second_term_ends_at_once(self):
        server = self.serve(env={"MAHAVISHNU_WORK_LEASE_MS": "1000"})
        task = server.tool("task_submit", {"command": "sleep 600"})["task"]
        eventually(lambda: server.tool("task_get", {"task": task})["state"] == "running", "the task runs")
        server.signal()
        eventually(lambda: server.request("GET", "/readyz")[0] == 503, "it drains")
        started = time.monotonic()
        server.signal()
        self.assertEqual(server.wait(), 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - started, 5)

    def test_repositories_are_read_again_when_the_file_changes(self):
        folder = self.scratch.repository("one")
        path = self.scratch.repositories(("one", folder, []))
        server = self.serve()

        def names():
            return [item["name"] for item in server.tool("repo_list")["items"]]

        self.assertEqual(names(), ["one"])
        self.scratch.repositories(("one", folder, []), ("two", folder, []))
        eventually(lambda: names() == ["one", "two"], "the new repository is served")
        with open(path, "w", encoding="utf-8") as file:
            file.write("repos:\n  - {name: one, pth: /x}\n")
        problem = eventually(lambda: json.loads(server.request("GET", "/readyz")[2])["repositories"].get("problem"),
                             "the broken edit is told")
        self.assertIn("did you mean path?", problem)
        self.assertEqual(names(), ["one", "two"])
        server.stop()

    def test_a_full_disk_refuses_new_work_and_keeps_reads_and_completions(self):
        disk = SmallDisk(self)
        server = self.serve()
        gate = os.path.join(self.scratch.path, "gate")
        running = server.tool("task_submit", {"command": f"while [ ! -e {gate} ]; do sleep 0.05; done; echo ended"})["task"]
        eventually(lambda: server.tool("task_get", {"task": running})["state"] == "running", "it runs")
        disk.fill()
        refused = first_refusal(server)
        self.assertIn(refused[0], (429, 503), refused)
        self.assertIn(running, server.tool("task_get", {"task": running})["task"])
        open(gate, "w", encoding="utf-8").close()
        ended = server.tool("task_get", {"task": running, "wait_ms": 20000})
        self.assertEqual(ended["state"], "completed")
        disk.free()
        eventually(lambda: submit(server, command="true")[0] == 200, "work is taken again once there is room")
        server.stop()


class VerbTest(WithScratch):
    def three(self):
        self.scratch.repositories(
            ("good", self.scratch.repository("good"), ["all", "fine"]),
            ("also", self.scratch.repository("also"), ["all", "fine"]),
            ("bad", self.scratch.repository("bad", {"broken": "yes\n"}), ["all"]))

    def check_runs(self):
        passed = self.scratch.run("run", "--tag", "fine", "--", "git", "rev-parse", "--abbrev-ref", "HEAD")
        self.assertEqual(passed.returncode, 0, passed.stderr + passed.stdout)
        self.assertIn("2 completed", passed.stdout)
        failed = self.scratch.run("run", "--all", "--jobs", "2", "--", "test ! -e broken || { echo why it failed; exit 3; }")
        self.assertEqual(failed.returncode, 1, failed.stderr)
        self.assertIn("why it failed", failed.stdout)
        self.assertIn("1 failed, 2 completed", failed.stdout)
        self.assertIn("bad / run: exit_code", failed.stdout)

    def test_run_without_a_server_works_in_process(self):
        self.three()
        self.check_runs()

    def test_run_uses_the_server_that_owns_the_data_directory(self):
        self.three()
        server = self.serve()
        self.check_runs()
        self.assertEqual(len(server.tool("workflow_list")["items"]), 2)
        server.stop()

    def test_run_says_what_is_wrong_with_its_words(self):
        self.three()
        for words, part in ((("run", "--all"), "behind `--`"), (("run", "--", "true"), "--all, --tag T"),
                            (("run", "--all", "--jobs", "x", "--", "true"), "--jobs"),
                            (("run", "--al", "--", "true"), "did you mean --all?")):
            done = self.scratch.run(*words)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn(part, done.stderr)
        unknown = self.scratch.run("run", "--repo", "god", "--", "true")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("good", unknown.stderr)

    def test_an_interrupt_cancels_the_workflow_and_says_so(self):
        self.three()
        server = self.serve()
        client = subprocess.Popen([BINARY, "run", "--all", "--", "sleep", "600"], env=self.scratch.env,
                                  cwd=self.scratch.path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        eventually(lambda: server.tool("task_list", {"state": "running"})["items"], "it runs")
        client.send_signal(signal.SIGINT)
        output, _ = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 1)
        self.assertIn("3 tasks cancelled", output)
        self.assertIn("0 processes left", output)
        self.assertEqual(server.tool("workflow_list")["items"][0]["state"], "cancelled")
        server.stop()

    def test_call_prints_the_structured_result(self):
        self.three()
        self.assertEqual(self.scratch.call("repo_list", {"tag": "fine"})["items"][0]["name"], "good")
        server = self.serve()
        self.assertEqual(len(self.scratch.call("repo_list")["items"]), 3)
        over_http = self.scratch.run("call", "repo_list", "--url", f"http://127.0.0.1:{server.port}/mcp")
        self.assertEqual(over_http.returncode, 0, over_http.stderr)
        self.assertEqual(len(json.loads(over_http.stdout)["items"]), 3)
        refused = self.scratch.run("call", "repo_list", "--url", f"http://127.0.0.1:{server.port}", "--token", "wrong")
        self.assertEqual(refused.returncode, 1)
        server.stop()

    def test_call_says_what_is_wrong(self):
        for words, code, part in ((("call",), 2, "which tool"), (("call", "repo_list", "{"), 2, "not JSON"),
                                  (("call", "repo_lst"), 1, "repo_list"),
                                  (("call", "task_get", '{"task": 7}'), 1, "task"),
                                  (("call", "repo_list", "--url", "nowhere"), 2, "URL"),
                                  (("call", "repo_list", "--url", "http://127.0.0.1:9"), 1, "did not answer")):
            done = self.scratch.run(*words)
            self.assertEqual(done.returncode, code, (words, done.stderr))
            self.assertIn(part, done.stderr)

    def test_call_watch_follows_a_task_and_a_workflow(self):
        self.three()
        server = self.serve()
        task = self.scratch.run("call", "task_submit", '{"command": "echo one; sleep 0.2; echo two; exit 4"}', "--watch")
        self.assertEqual(task.returncode, 1)
        self.assertIn("one\ntwo\n", task.stdout)
        self.assertIn("failed: exit_code", task.stdout)
        workflow = self.scratch.run("call", "workflow_run", json.dumps(
            {"over": {"all": True}, "steps": [
                {"id": "tests", "command": "test ! -e broken"},
                {"id": "clean-up", "command": "echo cleaned", "depends_on": ["tests"], "when": "always"},
                {"id": "summary", "command": "echo summed up", "depends_on": ["clean-up"], "each": "once", "when": "always"}]}), "--watch")
        self.assertEqual(workflow.returncode, 1, workflow.stderr)
        self.assertIn("bad tests: failed (exit_code)", workflow.stdout)
        self.assertIn("bad clean-up: completed", workflow.stdout)
        self.assertIn("(all) summary: completed", workflow.stdout)
        server.stop()

    def test_status_and_stop(self):
        self.assertEqual(self.scratch.run("status").returncode, 1)
        self.assertEqual(self.scratch.run("stop").returncode, 1)
        server = self.serve()
        status = self.scratch.run("status")
        self.assertEqual(status.returncode, 0, status.stdout + status.stderr)
        for words in (f"pid {server.process.pid}", "version", "default", "running"):
            self.assertIn(words, status.stdout)
        stopped = self.scratch.run("stop")
        self.assertEqual(stopped.returncode, 0, stopped.stderr)
        self.assertIn(f"stopped pid {server.process.pid}", stopped.stdout)
        self.assertEqual(server.wait(), 0)

    def test_a_long_data_path_moves_the_socket(self):
        self.scratch.data = os.path.join(self.scratch.path, "d" * 120)
        self.scratch.env.update(MAHAVISHNU_DATA=self.scratch.data,
                                XDG_RUNTIME_DIR=os.path.join(self.scratch.path, "runtime"))
        server = self.serve()
        self.assertEqual(self.scratch.run("status").returncode, 0)
        server.stop()

    def test_doctor_and_config_show(self):
        self.three()
        doctor = self.scratch.run("doctor")
        self.assertEqual(doctor.returncode, 0, doctor.stdout)
        self.scratch.file("config/mahavishnu/config.yaml", "http:\n  listn: 127.0.0.1:1\n")
        doctor = self.scratch.run("doctor")
        self.assertEqual(doctor.returncode, 1)
        self.assertIn("config.yaml:2:3", doctor.stdout)
        self.scratch.file("config/mahavishnu/config.yaml", "log:\n  level: warn\n")
        shown = self.scratch.run("config", "show", env={"MAHAVISHNU_SHUTDOWN_GRACE_MS": "1s"}).stdout
        self.assertRegex(shown, r"log.level: +warn +# .*config.yaml:2:10")
        self.assertRegex(shown, r"shutdown.grace_ms: +1s +# MAHAVISHNU_SHUTDOWN_GRACE_MS")

    def test_doctor_asks_the_memory_server(self):
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self):
                asked.append((self.path, self.headers["Authorization"]))
                self.send_response(405 if self.path == "/mcp" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        token = self.scratch.file("token", "a-token-for-memories\n")
        os.chmod(token, 0o600)
        with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            settings = {"MAHAVISHNU_SESSION_BUDDY_URL": f"http://127.0.0.1:{server.server_address[1]}/mcp",
                        "MAHAVISHNU_SESSION_BUDDY_TOKEN_FILE": token}
            doctor = self.scratch.run("doctor", env=settings)
            self.assertRegex(doctor.stdout, r"(?m)^ok +session_buddy .*answers \(HTTP 405\)")
            elsewhere = {**settings, "MAHAVISHNU_SESSION_BUDDY_URL": f"http://127.0.0.1:{server.server_address[1]}/x"}
            self.assertRegex(self.scratch.run("doctor", env=elsewhere).stdout,
                             r"(?m)^warn +session_buddy .*\(HTTP 404\); is the path right")
            server.shutdown()
        self.assertEqual(asked, [(path, "Bearer a-token-for-memories") for path in ("/mcp", "/x")])
        doctor = self.scratch.run("doctor", env=settings)
        self.assertRegex(doctor.stdout, r"(?m)^warn +session_buddy .*memories wait in the outbox")
        self.assertEqual(doctor.returncode, 0)

    def test_a_scan_writes_repositories_that_a_run_uses(self):
        self.scratch.repository("one")
        self.scratch.repository("two", {"package.json": "{}"})
        scanned = self.scratch.run("repos", "scan", "src")
        self.assertEqual(scanned.returncode, 0, scanned.stderr)
        self.assertEqual(self.scratch.run("repos", "check").returncode, 0)
        self.assertEqual(self.scratch.run("repos", "scan", "src").returncode, 1)
        self.assertEqual(self.scratch.run("run", "--tag", "node", "--", "true").returncode, 0)

    def test_without_a_repositories_file_the_checkout_around_is_served(self):
        folder = self.scratch.repository("around")
        done = subprocess.run([BINARY, "run", "--all", "--", "pwd"], env=self.scratch.env, cwd=folder, text=True,
                              capture_output=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"the git checkout {folder} is served", done.stderr)


class Counted(unittest.TextTestResult):
    def startTest(self, test):
        super().startTest(test)
        self.stream.flush()


def main(words, module=sys.modules[__name__]):
    if shutil.which("git") is None or not os.path.exists(BINARY):
        print(f"needs git and {BINARY}\n0 passed, 1 failed")
        return 1
    suite = unittest.TestSuite()
    for tests in unittest.defaultTestLoader.loadTestsFromModule(module):
        for test in tests:
            if not words or any(word in test.id() for word in words):
                suite.addTest(test)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Counted).run(suite)
    failed = len({test.id() for test, _ in result.failures + result.errors})
    skipped = len(result.skipped)
    print(f"{result.testsRun - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
