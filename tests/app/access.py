"""Who may come in, on the real binary: named tokens, their scopes and bounds, limits, secrets.

usage: access.py [NAME…]   runs the tests whose names hold one of the words
"""
import hashlib
import http.client
import json
import os
import socket
import stat
import sys

from e2e import HELLO, JSON, WithScratch, main, request
from harness import PATIENCE, eventually

ADMINISTRATION = ["audit_search", "breaker_reset", "cache_invalidate", "pool_close", "pool_scale", "pool_spawn"]


def bearer(token):
    return {**JSON, "Authorization": f"Bearer {token}"}


def call(tool, **arguments):
    return json.dumps({"name": tool, "arguments": arguments})


class WithTokens(WithScratch):
    def token(self, name, *flags):
        """A new named token."""
        done = self.scratch.run("token", "new", name, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"\Amhv_[A-Za-z0-9_-]{43}\n\Z")
        return done.stdout.strip()

    def tokens_file(self):
        return os.path.join(self.scratch.data, "tokens.json")

    def asked(self, server, token, tool="repo_list", **arguments):
        """Status and body of a script's call."""
        status, _, body = server.request("POST", "/tools/call", call(tool, **arguments), bearer(token))
        return status, json.loads(body)

    def denied(self, server, token, tool, **arguments):
        """The message of a refusal."""
        status, body = self.asked(server, token, tool, **arguments)
        self.assertEqual((status, body["error"]["code"]), (403, "Denied"), body)
        return body["error"]["message"]

    def problem(self, server):
        body = json.loads(server.request("GET", "/readyz")[2])
        return body.get("tokens", {}).get("problem")


class TokenVerbTest(WithTokens):
    def test_a_token_is_shown_once_and_kept_as_a_hash_in_a_private_file(self):
        token = self.token("ci", "--scope", "run", "--expires", "30d", "--repos", "api,web", "--pools", "p")
        self.assertEqual(stat.S_IMODE(os.stat(self.tokens_file()).st_mode), 0o600)
        with open(self.tokens_file(), encoding="utf-8") as file:
            text = file.read()
        self.assertNotIn(token[4:], text)
        self.assertEqual(json.loads(text)["tokens"][0]["scopes"], ["read", "run"])
        listed = self.scratch.run("token", "list")
        self.assertEqual(listed.returncode, 0)
        self.assertRegex(listed.stdout, r"ci +run +.*never +pools p; repos api,web")
        self.assertNotIn(token[4:], listed.stdout + listed.stderr)

    def test_what_is_not_understood_says_what_is(self):
        for words, code, said in ((["new"], 2, "token new NAME"), (["mew", "x"], 2, "token list"),
                                  (["list", "x"], 2, "token list"),
                                  (["new", "ci", "--scope", "root"], 2, "read, run and admin"),
                                  (["new", "ci", "--expires", "soon"], 2, "duration"),
                                  (["new", "ci", "--expires", "0"], 2, "0 is no time"),
                                  (["new", "a b"], 1, "A-Z"), (["new", "stdio"], 1, "taken"),
                                  (["new", "ci", "--scope", "admin", "--tags", "x"], 1, "bound"),
                                  (["new", "ci", "--scop", "run"], 2, "--scope"),
                                  (["revoke", "nobody"], 1, "there are none")):
            done = self.scratch.run("token", *words)
            self.assertEqual(done.returncode, code, (words, done.stderr))
            self.assertIn(said, done.stderr, words)
            self.assertEqual(done.stdout, "", words)
        self.token("ci")
        again = self.scratch.run("token", "new", "ci")
        self.assertEqual(again.returncode, 1)
        self.assertIn("already", again.stderr)

    def test_when_a_token_was_used_is_listed_after_the_server_ended(self):
        token = self.token("ci")
        server = self.serve()
        self.assertEqual(self.asked(server, token)[0], 200)
        server.stop()
        self.assertRegex(self.scratch.run("token", "list").stdout, r"ci +read +\S+Z +never +\S+Z +any")


class TokensAtTheDoorTest(WithTokens):
    def test_named_tokens_come_in_beside_the_first_one(self):
        server = self.serve()
        token = self.token("ci", "--scope", "run")  # the server notices
        self.assertEqual(self.asked(server, token)[0], 200)
        self.assertEqual(self.asked(server, server.token())[0], 200)
        status, task = self.asked(server, token, "task_submit", command="true", wait_ms=20000)
        self.assertEqual((status, task["state"]), (200, "completed"))
        tasks = server.tool("task_list", {"caller": "ci"})["items"]
        self.assertEqual([one["task"] for one in tasks], [task["task"]])
        self.assertEqual(server.request("GET", "/metrics", None, bearer(token))[0], 200)
        server.stop()

    def test_a_token_revoked_between_two_requests_of_one_connection_is_refused(self):
        server = self.serve()
        token = self.token("ci")
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        self.addCleanup(connection.close)

        def ask():
            connection.request("POST", "/tools/call", call("repo_list"), bearer(token))
            answer = connection.getresponse()
            return answer.status, answer.headers.get("WWW-Authenticate"), answer.read()

        self.assertEqual(ask()[0], 200)
        for _ in range(10):  # at once, every time
            self.assertEqual(self.scratch.run("token", "revoke", "ci").returncode, 0)
            status, challenge, body = ask()
            self.assertEqual((status, challenge), (401, 'Bearer error="invalid_token"'))
            self.assertNotIn(token.encode(), body)
            token = self.token("ci")
            self.assertEqual(ask()[0], 200)
        server.stop()

    def test_a_session_ends_with_its_token(self):
        server = self.serve()
        token, other = self.token("ci"), self.token("other")
        headers = {**bearer(token), "Accept": "application/json, text/event-stream"}
        session = server.request("POST", "/mcp", json.dumps(HELLO), headers)[1]["Mcp-Session-Id"]
        headers["Mcp-Session-Id"] = session
        listing = json.dumps(request(1, "tools/list"))
        self.assertEqual(server.request("POST", "/mcp", listing, headers)[0], 200)
        stolen = {**headers, **bearer(other)}
        self.assertEqual(server.request("POST", "/mcp", listing, stolen)[0], 404)
        self.scratch.run("token", "revoke", "ci")
        self.assertEqual(server.request("POST", "/mcp", listing, headers)[0], 401)
        server.stop()

    def test_an_expired_token_is_refused_like_an_unknown_one(self):
        server = self.serve()
        token = self.token("brief", "--expires", "1500ms")
        answers = [server.request("POST", "/tools/call", call("repo_list"), bearer(text))
                   for text in (token, "mhv_" + "x" * 43)]
        self.assertEqual([answer[0] for answer in answers], [200, 401])
        eventually(lambda: self.asked(server, token)[0] == 401, "it expires")
        expired = server.request("POST", "/tools/call", call("repo_list"), bearer(token))
        self.assertEqual(expired[1]["WWW-Authenticate"], answers[1][1]["WWW-Authenticate"])
        self.assertEqual(expired[2], answers[1][2])
        self.assertRegex(self.scratch.run("token", "list").stdout, r"brief .* expired ")
        server.stop()

    def test_bad_credentials(self):
        server = self.serve()
        token = self.token("ci")
        for value, status in (("", 401), ("Bearer", 401), ("Bearer ", 401), (f"Basic {token}", 401),
                              (f"bearer {token}", 200), (f"BEARER   {token}", 200), (token, 401),
                              (f"Bearer {token}x", 401), (f"Bearer {token} {token}", 401),
                              ("Bearer " + "x" * 12000, 401), ("Bearer " + "x" * 100000, 431)):
            got = server.request("POST", "/tools/call", call("repo_list"), {**JSON, "Authorization": value})[0]
            self.assertEqual(got, status, value[:60])

        def raw(*lines):
            """The status of a request with header lines that no library would send."""
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as peer:
                peer.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" +
                             b"".join(line + b"\r\n" for line in lines) + b"\r\n")
                return int(peer.recv(65536).split()[1])

        good = b"Authorization: Bearer " + token.encode()
        self.assertEqual(raw(good), 200)
        self.assertEqual(raw(good, good), 400)
        self.assertEqual(raw(good, b"authorization: Bearer x"), 400)
        self.assertEqual(raw(b"Authorization: Bearer \xff\xfe\xc3\xa9" + b"x" * 40), 401)
        self.assertIn(raw(b"Authorization: Bearer \x00" + token.encode()), (400, 401))
        server.stop()

    def test_a_tokens_file_that_cannot_be_used_leaves_the_last_good_one(self):
        server = self.serve()
        token = self.token("ci")
        self.assertEqual(self.asked(server, token)[0], 200)
        with open(self.tokens_file(), encoding="utf-8") as file:
            good = file.read()
        with open(self.tokens_file(), "w", encoding="utf-8") as file:
            file.write(good[:-20])
        eventually(lambda: "tokens.json" in (self.problem(server) or ""), "it says that it is broken")
        self.assertEqual(self.asked(server, token)[0], 200)
        self.assertEqual(self.scratch.run("token", "new", "more").returncode, 1)
        with open(self.tokens_file(), "w", encoding="utf-8") as file:
            file.write(good)
        eventually(lambda: self.problem(server) is None, "it is whole again")
        os.chmod(self.tokens_file(), 0o644)
        eventually(lambda: "chmod 600" in (self.problem(server) or ""), "it says that others may read it")
        self.assertEqual(self.asked(server, token)[0], 200)
        server.stop()
        again = self.serve()  # there is no last good one now
        self.assertIn("chmod 600", self.problem(again))
        self.assertEqual(self.asked(again, token)[0], 401)
        self.assertEqual(self.asked(again, again.token())[0], 200)
        os.chmod(self.tokens_file(), 0o600)
        eventually(lambda: self.asked(again, token)[0] == 200, "it is in force again")
        os.unlink(self.tokens_file())
        eventually(lambda: self.asked(again, token)[0] == 401, "without the file no named token is good")
        again.stop()


class ScopeTest(WithTokens):
    def listed(self, server, token):
        headers = {**bearer(token), "Accept": "application/json, text/event-stream"}
        session = server.request("POST", "/mcp", json.dumps(HELLO), headers)[1]["Mcp-Session-Id"]
        body = server.request("POST", "/mcp", json.dumps(request(1, "tools/list")),
                              {**headers, "Mcp-Session-Id": session})[2]
        return {tool["name"]: tool for tool in json.loads(body)["result"]["tools"]}

    def test_lists_show_what_the_scope_may_call(self):
        server = self.serve("--toolsets", "all")
        everything = self.listed(server, server.token())
        reading = self.listed(server, self.token("reader"))
        running = self.listed(server, self.token("runner", "--scope", "run"))
        self.assertEqual(self.listed(server, self.token("keeper", "--scope", "admin")), everything)
        self.assertEqual(sorted(set(everything) - set(running)), ADMINISTRATION)
        self.assertEqual(set(reading), {name for name, tool in running.items()
                                        if tool["annotations"]["readOnlyHint"]})
        server.stop()

    def test_what_the_scope_does_not_allow_is_denied_and_not_done(self):
        server = self.serve()
        reader, runner = self.token("reader"), self.token("runner", "--scope", "run")
        marker = os.path.join(self.scratch.path, "marker")
        self.assertIn("scope run", self.denied(server, reader, "task_submit", command=f"touch {marker}", wait_ms=5000))
        self.assertIn("scope admin", self.denied(server, runner, "pool_spawn", name="mine"))
        self.assertFalse(os.path.exists(marker))
        self.assertEqual([pool["name"] for pool in server.tool("pool_list")["items"]], ["default"])
        headers = {**bearer(reader), "Accept": "application/json, text/event-stream"}
        session = server.request("POST", "/mcp", json.dumps(HELLO), headers)[1]["Mcp-Session-Id"]
        told = json.loads(server.request(
            "POST", "/mcp", json.dumps(request(1, "tools/call", name="task_submit", arguments={"command": "true"})),
            {**headers, "Mcp-Session-Id": session})[2])
        self.assertTrue(told["result"]["isError"])
        self.assertIn("scope run", told["result"]["content"][0]["text"])
        server.stop()


class BoundsTest(WithTokens):
    def setUp(self):
        super().setUp()
        self.scratch.repositories(("api", self.scratch.repository("api"), ["node"]),
                                  ("web", self.scratch.repository("web"), ["node"]),
                                  ("ops", self.scratch.repository("ops"), ["shell"]))

    def test_work_into_other_repositories_is_denied(self):
        server = self.serve()
        by_name = self.token("named", "--scope", "run", "--repos", "api")
        by_tag = self.token("tagged", "--scope", "run", "--tags", "node")
        for token, repo in ((by_name, "api"), (by_tag, "api"), (by_tag, "web")):
            status, task = self.asked(server, token, "task_submit", command="true", repo=repo, wait_ms=20000)
            self.assertEqual((status, task["state"]), (200, "completed"))
        self.assertIn("api", self.denied(server, by_name, "task_submit", command="true", repo="web"))
        self.assertIn("node", self.denied(server, by_tag, "task_submit", command="true", repo="ops"))
        self.assertIn("without a repository", self.denied(server, by_tag, "task_submit", command="true"))
        self.denied(server, by_name, "task_submit", command="true", repo="api", cwd="../web")
        status, batch = self.asked(server, by_name, "task_batch",
                                   tasks=[{"command": "true", "repo": "api"}, {"command": "true", "repo": "web"}])
        self.assertEqual((status, batch["refused"], batch["errors"][0]["code"]), (200, 1, "Denied"))
        steps = [{"id": "one", "command": "true"}]
        self.denied(server, by_name, "workflow_run", over={"all": True}, steps=steps)
        self.denied(server, by_tag, "workflow_run", over={"repos": ["api", "ops"]}, steps=steps)
        status, done = self.asked(server, by_tag, "workflow_run", over={"tag": "node"}, steps=steps, wait_ms=20000)
        self.assertEqual((status, done["state"]), (200, "completed"), done)
        server.stop()

    def test_work_on_other_pools_is_denied(self):
        server = self.serve()
        server.tool("pool_spawn", {"name": "small", "max_workers": 1})
        server.tool("pool_spawn", {"name": "large", "max_workers": 1})
        one = self.token("one", "--scope", "run", "--pools", "small")
        two = self.token("two", "--scope", "run", "--pools", "small,large")
        status, task = self.asked(server, one, "task_submit", command="true", wait_ms=20000)
        self.assertEqual((status, task["pool"]), (200, "small"), task)
        self.assertIn("small", self.denied(server, one, "task_submit", command="true", pool="default"))
        self.assertIn("name one of", self.denied(server, two, "task_submit", command="true"))
        steps = [{"id": "a", "command": "true", "pool": "large"}, {"id": "b", "command": "true", "pool": "default"}]
        self.assertIn("step \"b\"", self.denied(server, two, "workflow_run", over={"repos": ["api"]}, steps=steps))
        server.tool("pool_close", {"pool": "small", "wait_ms": 20000})
        self.assertEqual(self.asked(server, one, "task_submit", command="true")[0], 404)
        server.stop()

    def test_who_is_bound_cancels_only_what_is_its_own(self):
        server = self.serve()
        token = self.token("bound", "--scope", "run", "--repos", "api")
        theirs = server.tool("task_submit", {"command": "sleep 300", "repo": "api"})["task"]
        own = self.asked(server, token, "task_submit", command="sleep 300", repo="api")[1]["task"]
        self.assertIn("bound", self.denied(server, token, "task_cancel", task=theirs))
        self.assertIn("bound", self.denied(server, token, "task_cancel", filter={"caller": "token"}))
        status, answer = self.asked(server, token, "task_cancel", filter={"repo": "api"}, wait_ms=20000)
        self.assertEqual((status, [item["task"] for item in answer["items"]]), (200, [own]), answer)
        work = server.tool("workflow_run", {"over": {"repos": ["api"]}, "steps": [{"id": "a", "command": "sleep 300"}]})
        self.denied(server, token, "workflow_cancel", workflow=work["workflow"])
        server.tool("workflow_cancel", {"workflow": work["workflow"], "wait_ms": 20000})
        server.tool("task_cancel", {"task": theirs, "wait_ms": 20000})
        server.stop()


class LimitsTest(WithTokens):
    def test_a_credential_that_comes_too_often_is_told_when_to_come_again(self):
        server = self.serve(env={"MAHAVISHNU_LIMITS_REQUESTS_PER_S": "1", "MAHAVISHNU_LIMITS_BURST": "3"})
        token, other = self.token("a"), self.token("b")
        answers = [server.request("POST", "/tools/call", call("repo_list"), bearer(token)) for _ in range(8)]
        refused = [answer for answer in answers if answer[0] == 429]
        self.assertGreaterEqual(len(refused), 1)
        self.assertEqual({answer[0] for answer in answers[:3]}, {200})
        self.assertEqual(refused[0][1]["Retry-After"], "1")
        self.assertEqual(json.loads(refused[0][2])["error"]["code"], "Exhausted")
        self.assertEqual(self.asked(server, other)[0], 200)
        self.assertEqual(server.request("GET", "/livez")[0], 200)
        eventually(lambda: self.asked(server, token)[0] == 200, "it may come again")
        server.stop()

    def test_a_tool_is_limited_by_itself(self):
        server = self.serve(env={"MAHAVISHNU_LIMITS_TOOLS": "task_submit=0.01/1"})
        token = self.token("a", "--scope", "run")
        self.assertEqual(self.asked(server, token, "task_submit", command="true")[0], 200)
        status, headers, body = server.request("POST", "/tools/call", call("task_submit", command="true"), bearer(token))
        error = json.loads(body)["error"]
        self.assertEqual((status, error["code"]), (429, "Exhausted"))
        self.assertGreater(error["data"]["retry_after_ms"], 1000)
        self.assertGreater(int(headers["Retry-After"]), 1)
        self.assertEqual(self.asked(server, token)[0], 200)
        self.assertEqual(self.asked(server, server.token(), "task_submit", command="true")[0], 200)
        server.stop()

    def test_limits_that_make_no_sense_are_refused(self):
        for text, said in (("task_submit", "TOOL=RATE"), ("task_submitt=1", "did you mean task_submit"),
                           ("task_submit=-1", "TOOL=RATE")):
            done = self.scratch.run("serve", "--stdio", "--in-process", env={"MAHAVISHNU_LIMITS_TOOLS": text})
            self.assertEqual(done.returncode, 1)
            self.assertIn(said, done.stderr)


class AuditTest(WithTokens):
    def rows(self, server, **filters):
        return server.tool("audit_search", filters)["items"]

    def test_changes_and_refusals_are_told_with_their_caller(self):
        server = self.serve("--toolsets", "all")
        token = self.token("ci", "--scope", "run")
        task = self.asked(server, token, "task_submit", command="true # s3cret")[1]["task"]
        self.asked(server, token, "task_submit", command="true", repo="nowhere")
        self.denied(server, token, "pool_spawn", name="mine")
        server.tool("pool_spawn", {"name": "mine"})
        rows = eventually(lambda: (found := self.rows(server, caller="ci")) and
                          found[-1].get("outcome") and found, "the rows are on the disk")
        self.assertEqual([(row["tool"], row["decision"], row.get("outcome")) for row in rows],
                         [("pool_spawn", "denied", "Denied"), ("task_submit", "allowed", "NotFound"),
                          ("task_submit", "allowed", "ok")])
        self.assertEqual(rows[-1]["made"], task)
        arguments = json.dumps({"command": "true # s3cret"}, separators=(",", ":"), sort_keys=True)
        self.assertEqual(rows[-1]["arguments_sha256"], hashlib.sha256(arguments.encode()).hexdigest())
        self.assertNotIn("s3cret", json.dumps(self.rows(server)))
        [spawned] = eventually(lambda: [row for row in self.rows(server, tool="pool_spawn", decision="allowed")
                                        if row.get("outcome")], "the pool's row is whole")
        self.assertEqual((spawned["caller"], spawned["made"][:5]), ("token", "pool_"))
        server.stop()

    def test_what_is_on_the_disk_has_its_row_after_a_kill(self):
        server = self.serve("--toolsets", "all")
        tasks = {server.tool("task_submit", {"command": "true"})["task"] for _ in range(20)}
        server.kill()
        again = self.serve("--toolsets", "all")
        rows = self.rows(again, tool="task_submit", limit=100)
        self.assertEqual(len(rows), len(tasks))
        self.assertLessEqual({row["made"] for row in rows if "made" in row}, tasks)
        self.assertEqual({row["caller"] for row in rows}, {"token"})
        again.stop()

    def test_reads_are_counted_and_written_at_the_end(self):
        server = self.serve("--toolsets", "all")
        token = self.token("reader")
        for _ in range(5):
            self.asked(server, token)
        self.assertEqual(self.rows(server, caller="reader"), [])
        server.stop()
        again = self.serve("--toolsets", "all")
        [row] = self.rows(again, caller="reader")
        self.assertEqual((row["tool"], row["calls"], row["decision"]), ("repo_list", 5, "allowed"))
        self.assertNotIn("arguments_sha256", row)
        again.stop()

    def test_who_is_turned_away_at_the_door_is_told_of_once(self):
        server = self.serve("--toolsets", "all")
        for text in ("mhv_guess", "mhv_another"):
            self.assertEqual(self.asked(server, text)[0], 401)
        [row] = eventually(lambda: self.rows(server, tool="(http)"), "the row is on the disk")
        self.assertEqual((row["caller"], row["decision"], row["outcome"]), ("(nobody)", "denied", "401"))
        self.assertNotIn("guess", json.dumps(self.rows(server)))
        server.stop()

    def test_without_rows_there_is_no_audit(self):
        server = self.serve("--toolsets", "all", env={"MAHAVISHNU_AUDIT_MAX_ROWS": "0"})
        server.tool("task_submit", {"command": "true"})
        self.assertEqual(self.rows(server), [])
        server.stop()


class SecretsTest(WithTokens):
    def test_no_token_reaches_logs_errors_metrics_files_or_work(self):
        self.serve().stop()  # the first start makes the first token, and shows it
        server = self.serve("--log-level", "trace")
        token = self.token("ci", "--scope", "run")
        secrets = [token[4:], server.token()]
        seen = []
        for text in (token, token + "x", server.token()):
            for body in (call("repo_list"), call("task_submit", command="env", wait_ms=20000), call("nope"), "{"):
                seen.append(server.request("POST", "/tools/call", body, bearer(text))[2].decode())
        task = self.asked(server, token, "task_submit", command="env; cat /proc/self/cmdline", wait_ms=20000)[1]
        seen.append(json.dumps(task))
        seen.append(json.dumps(server.tool("task_output", {"task": task["task"]})))
        seen.append(server.request("GET", "/metrics", None, bearer(token))[2].decode())
        seen.append(server.request("GET", "/readyz")[2].decode())
        seen.append(self.scratch.run("token", "list").stdout)
        seen.append(self.scratch.run("config", "show").stdout)
        self.scratch.run("token", "revoke", "ci")
        self.asked(server, token)
        server.stop()
        seen.append(server.log())
        for text in seen:
            for secret in secrets:
                self.assertNotIn(secret, text)
        for folder, _, names in os.walk(self.scratch.data):
            for name in names:
                path = os.path.join(folder, name)
                if name == "token" or not os.path.isfile(path):
                    continue
                with open(path, "rb") as file:
                    held = file.read()
                for secret in secrets:
                    self.assertNotIn(secret.encode(), held, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], sys.modules[__name__]))
