"""Bridges and the server in the background, with the real binary: who starts it, who shares it, who
ends it, and what each client notices when it dies.

usage: run.py [NAME…]   runs the tests whose names hold one of the words
The last line is "N passed, N failed" (", N skipped").
"""
import importlib.util
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(TESTS, "app"))
from harness import BINARY, PATIENCE, eventually, processes_with  # noqa: E402
from parties import INITIALIZE, BridgeTest, OtherOwner, call, request, said_hello  # noqa: E402


class StartTest(BridgeTest):
    def test_the_first_client_starts_a_server_and_the_others_share_it(self):
        first = self.bridge()
        server = self.owner()
        second, third = self.bridge(), self.bridge()
        self.assertEqual(self.owner(), server)
        task = first.tool("task_submit", command="echo shared", wait_ms=20000)["task"]
        for client in (second, third):
            self.assertEqual(client.tool("task_get", task=task)["state"], "completed")
        status = self.scratch.run("status").stdout
        self.assertIn("in the background", status)
        self.assertRegex(status, r"clients: +3 ")
        self.assertIn("http:    not served", status)
        for client in (first, second, third):
            self.assertEqual(client.finish(), ([], 0))
        self.assertEqual(self.owner(), server)

    def test_the_server_in_the_background_holds_nothing_of_its_starter(self):
        client = self.bridge(env={"SECRET": "of the client"})
        server = self.owner()
        self.assertEqual(os.getsid(server), server)
        self.assertEqual(os.readlink(f"/proc/{server}/cwd"), "/")
        self.assertEqual(os.readlink(f"/proc/{server}/fd/0"), "/dev/null")
        log = os.path.join(self.scratch.data, "server.log")
        for descriptor in (1, 2):
            self.assertEqual(os.readlink(f"/proc/{server}/fd/{descriptor}"), log)
        with open(f"/proc/{server}/environ", "rb") as environ:
            self.assertNotIn(b"SECRET", environ.read())
        self.assertEqual(os.stat(log).st_mode & 0o077, 0)
        client.kill()
        self.assertEqual(self.owner(), server)

    def test_two_started_at_the_same_instant_get_one_server(self):
        clients = [self.bridge(handshake=False) for _ in range(4)]
        for client in clients:
            client.send(INITIALIZE)
        for client in clients:
            self.assertIn("result", client.receive())
        self.assertEqual(self.log().count(" in the background"), 1, self.log())
        eventually(lambda: len([pid for pid in processes_with(self.scratch.data) if self.is_server(pid)]) == 1,
                   "the others have ended")

    @staticmethod
    def is_server(pid):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                return b"--background" in file.read()
        except OSError:
            return False

    def test_a_server_that_does_not_come_up_is_told_with_its_last_words(self):
        client = self.bridge("--repos", os.path.join(self.scratch.path, "nowhere.yaml"), handshake=False)
        self.assertEqual(client.process.wait(PATIENCE), 1)
        self.assertIn("did not come up", client.said())
        self.assertIn("nowhere.yaml", client.said())

    def test_a_stale_socket_is_taken_over(self):
        self.bridge().finish()
        server = self.owner()
        os.kill(server, signal.SIGKILL)
        self.gone(server)
        self.assertTrue(os.path.exists(self.socket()))
        self.bridge().tool("pool_list")
        self.assertNotIn(self.owner(), (None, server))

    def test_a_data_directory_with_a_long_path_works(self):
        self.scratch.data = os.path.join(self.scratch.path, *["deep" * 10] * 4)
        self.scratch.env["MAHAVISHNU_DATA"] = self.scratch.data
        self.bridge().tool("pool_list")
        self.assertFalse(os.path.exists(self.socket()))
        self.bridge().tool("pool_list")
        self.assertRegex(self.scratch.run("status").stdout, r"clients: +2 ")

    @unittest.skipUnless(os.geteuid() == 0, "only root can make a folder that is somebody else's")
    def test_another_users_directory_is_refused(self):
        os.mkdir(self.scratch.data, 0o700)
        os.chown(self.scratch.data, 12345, 12345)
        client = self.bridge(handshake=False)
        self.assertEqual(client.process.wait(PATIENCE), 1)
        self.assertIn("belongs to user 12345", client.said())
        self.assertEqual(os.listdir(self.scratch.data), [])


class LifeTest(BridgeTest):
    def test_a_killed_server_is_started_again_and_the_sessions_go_on(self):
        clients = [self.bridge() for _ in range(3)]
        task, gate = self.gated(clients[0])
        server = self.owner()
        waiting = [client.submit("task_get", task=task, wait_ms=45000) for client in clients]
        os.kill(server, signal.SIGKILL)
        for client, number in zip(clients, waiting):
            answer = client.receive()
            self.assertEqual(answer["id"], number)
            self.assertEqual(answer["error"]["code"], -32603)
            self.assertIn("task_list", answer["error"]["message"])
        for client in clients:
            self.assertEqual(client.tool("task_get", task=task)["state"], "running")
        self.assertNotIn(self.owner(), (None, server))
        open(gate, "w", encoding="utf-8").close()
        for client in clients:
            ended = client.tool("task_get", task=task, wait_ms=20000)
            self.assertEqual((ended["state"], ended["attempt"]), ("completed", 1))
            self.assertEqual(client.finish(), ([], 0))

    def test_what_a_client_watches_is_watched_by_the_next_server_too(self):
        client, other = self.bridge(), self.bridge()
        uri = "mahavishnu://pool/later"
        updated = {"jsonrpc": "2.0", "method": "notifications/resources/updated", "params": {"uri": uri}}
        self.assertIn("result", client.ask(request("w", "resources/subscribe", uri=uri)))
        self.kill_server()
        self.assertEqual(client.receive(), updated)  # it may have changed meanwhile
        other.tool("pool_spawn", name="later")
        self.assertEqual(client.receive(), updated)
        self.assertEqual(client.finish(), ([], 0))

    def test_a_killed_client_leaves_its_task_and_the_others_alone(self):
        first, second = self.bridge(), self.bridge()
        task, gate = self.gated(first)
        first.submit("task_get", task=task, wait_ms=45000)
        first.process.kill()
        first.process.wait()
        self.assertEqual(second.tool("task_get", task=task)["state"], "running")
        open(gate, "w", encoding="utf-8").close()
        self.assertEqual(second.tool("task_get", task=task, wait_ms=20000)["state"], "completed")

    def test_the_end_of_input_waits_for_what_is_in_flight(self):
        client = self.bridge()
        task, gate = self.gated(client)
        number = client.submit("task_get", task=task, wait_ms=9000)
        client.process.stdin.close()
        open(gate, "w", encoding="utf-8").close()
        answer = client.receive()
        self.assertEqual((answer["id"], answer["result"]["structuredContent"]["state"]), (number, "completed"))
        self.assertIsNone(client.line())
        self.assertEqual(client.process.wait(PATIENCE), 0)

    def test_a_stopped_server_stays_away_until_it_is_needed(self):
        client = self.bridge()
        task, gate = self.gated(client)
        server = self.owner()
        stop = subprocess.Popen([BINARY, "stop"], env=self.scratch.env, cwd=self.scratch.path,
                                stdout=subprocess.PIPE, text=True)
        eventually(lambda: "it takes no new work" in self.scratch.run("status").stdout, "status tells the end")
        refused = client.submit("task_submit", command="true")
        answer = client.receive()
        self.assertTrue(answer["id"] == refused and answer["result"]["isError"], answer)
        open(gate, "w", encoding="utf-8").close()
        self.assertIn(f"stopped pid {server}", stop.communicate(timeout=PATIENCE)[0])
        self.assertEqual(stop.returncode, 0)
        self.assertIsNone(self.owner())
        self.assertEqual(client.tool("task_get", task=task)["state"], "completed")
        self.assertNotIn(self.owner(), (None, server))

    def test_without_clients_and_work_it_leaves(self):
        client = self.bridge(env={"MAHAVISHNU_SERVER_IDLE_EXIT_MS": "300"})
        server = self.owner()
        done = os.path.join(self.scratch.path, "done")
        self.start_task(client, f"sleep 1.5; touch {done}")
        self.assertEqual(client.finish(), ([], 0))
        self.gone(server)
        self.assertTrue(os.path.exists(done), "it left while a task ran")
        self.assertIn("ending: idle", self.log())

    def test_a_server_started_by_hand_is_used_and_replaced_when_it_dies(self):
        server = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0"], env=self.scratch.env,
                                  cwd=self.scratch.path, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(server.wait)
        eventually(lambda: os.path.exists(self.socket()), "it listens")
        client = self.bridge()
        self.assertEqual(self.owner(), server.pid)
        self.assertIn("by hand", self.scratch.run("status").stdout)
        self.kill_server()
        client.tool("pool_list")
        self.assertIn("in the background", self.scratch.run("status").stdout)


class BindingTest(BridgeTest):
    def test_what_a_client_sees_is_its_own(self):
        reader, writer, few = self.bridge("--read-only"), self.bridge(), self.bridge("--tools", "repo_list,task_get")

        def names(client):
            client.send(request("list", "tools/list"))
            return {tool["name"] for tool in client.receive()["result"]["tools"]}

        self.assertNotIn("task_submit", names(reader))
        self.assertIn("task_submit", names(writer))
        self.assertEqual(names(few), {"repo_list", "task_get"})
        wrong = self.bridge("--tools", "repo_lst", handshake=False)
        self.assertEqual(wrong.process.wait(PATIENCE), 1)
        self.assertIn("did you mean repo_list?", wrong.said())

    def test_it_is_bound_again_after_the_server_was_killed(self):
        reader = self.bridge("--read-only")
        self.kill_server()
        reader.send(request(1, "tools/list"))
        self.assertNotIn("task_submit", {tool["name"] for tool in reader.receive()["result"]["tools"]})

    def test_environment_and_folder_reach_only_ones_own_work(self):
        folders = {name: self.scratch.repository(name) for name in ("one", "two")}
        self.scratch.repositories(*((name, folder, []) for name, folder in folders.items()))
        for folder in folders.values():
            os.mkdir(os.path.join(folder, "sub"))
        show = {"command": "echo LANG=$LANG; echo OTHER=$OTHER; echo TZ=$TZ; pwd", "wait_ms": 20000, "cwd": "sub"}
        one = self.bridge(cwd=folders["one"], env={"LANG": "lang-one", "OTHER": "x", "TZ": "tz-one"})
        two = self.bridge(cwd=folders["two"], env={"LANG": "lang-two"})

        def shown(task):
            return one.tool("task_output", task=task)["text"].split()

        self.assertEqual(shown(one.tool("task_submit", **show)["task"]),
                         ["LANG=lang-one", "OTHER=", "TZ=tz-one", os.path.join(folders["one"], "sub")])
        second = shown(two.tool("task_submit", **show)["task"])
        self.assertEqual([second[0], second[3]], ["LANG=lang-two", os.path.join(folders["two"], "sub")])
        self.assertNotIn("tz-one", second[2])
        self.assertEqual(shown(two.tool("task_submit", env={"LANG": "of the task"}, command="echo $LANG",
                                        wait_ms=20000)["task"]), ["of", "the", "task"])
        done = self.scratch.run("call", "task_submit", json.dumps({"command": "echo $LANG", "wait_ms": 20000}),
                                env={"LANG": "of-call"})
        self.assertEqual(shown(json.loads(done.stdout)["task"]), ["of-call"])

    def test_the_environment_of_a_queued_task_survives_a_kill(self):
        client = self.bridge(env={"LANG": "kept"})
        client.tool("pool_spawn", name="still")
        client.tool("pool_scale", pool="still", paused=True)
        task = client.tool("task_submit", command="echo $LANG", pool="still")["task"]
        self.kill_server()
        client.tool("pool_scale", pool="still", paused=False)
        self.assertEqual(client.tool("task_get", task=task, wait_ms=20000)["state"], "completed")
        self.assertEqual(client.tool("task_output", task=task)["text"].strip(), "kept")

    def test_without_a_repositories_file_each_clients_checkout_is_served(self):
        os.unlink(self.scratch.repositories())
        folders = [self.scratch.repository("api"), self.scratch.repository("group/api")]
        clients = [self.bridge(cwd=folder) for folder in folders]
        for client, folder in zip(clients, folders):
            self.assertIn(f"the git checkout {folder} is served", client.said())
        paths = {item["path"]: item["name"] for item in clients[0].tool("repo_list")["items"]}
        self.assertEqual(set(paths), set(folders))
        self.assertEqual(len(set(paths.values())), 2)

    def test_other_settings_than_the_servers_are_told(self):
        self.bridge(env={"MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS": "3"})
        same = self.bridge(env={"MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS": "3"})
        self.assertEqual(same.said(), "")
        other = self.bridge("--log-level", "debug", env={"MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS": "4"})
        self.assertIn('pools.default.max_workers is "4" here (MAHAVISHNU_POOLS_DEFAULT_MAX_WORKERS), and "3" in the '
                      "running server", other.said())
        self.assertIn('log.level is "debug" here (--log-level), and "info"', other.said())


class VersionTest(BridgeTest):
    def test_an_idle_server_makes_room_for_a_newer_one(self):
        self.bridge().finish()
        server = self.owner()
        eventually(lambda: "clients: 0 " in self.scratch.run("status").stdout, "the client has left")
        answer, connection = said_hello(self.socket(), version="99.0.0", make_room=True)
        self.assertTrue(answer["result"]["ending"], answer)
        self.gone(server)
        connection.close()

    def test_a_server_in_use_makes_no_room(self):
        client = self.bridge()
        server = self.owner()
        answer, connection = said_hello(self.socket(), version="99.0.0", make_room=True)
        self.assertFalse(answer["result"]["ending"], answer)
        connection.close()
        task, gate = self.gated(client)
        client.finish()
        answer, connection = said_hello(self.socket(), version="99.0.0", make_room=True)
        self.assertFalse(answer["result"]["ending"], answer)
        connection.close()
        open(gate, "w", encoding="utf-8").close()
        self.assertEqual(self.owner(), server)
        self.assertIn(self.scratch.call("task_get", {"task": task, "wait_ms": 20000})["state"], "completed")

    def test_an_older_or_equal_client_is_served(self):
        self.bridge().finish()
        for version in ("0.0.1", "0.1.0"):
            answer, connection = said_hello(self.socket(), version=version, make_room=True)
            self.assertFalse(answer["result"]["ending"], answer)
            connection.sendall((json.dumps(call(2, "pool_list")) + "\n").encode())
            self.assertIn("result", json.loads(connection.makefile("rb").readline()))
            connection.close()

    def test_a_newer_bridge_takes_over_from_an_idle_older_server(self):
        older = OtherOwner(self.scratch.data, "0.0.1", makes_room=True)
        self.addCleanup(older.close)
        client = self.bridge()
        client.tool("pool_list")
        self.assertTrue(older.hellos[0]["make_room"])
        self.assertIn("older than this one", client.said())
        self.assertNotIn(self.owner(), (None, os.getpid()))

    def test_an_older_server_in_use_and_a_newer_one_are_used_as_they_are(self):
        for version, word in (("0.0.1", "`mahavishnu stop`"), ("99.0.0", "")):
            owner = OtherOwner(self.scratch.data, version, makes_room=False)
            client = self.bridge(handshake=False)
            answer = client.ask(INITIALIZE)
            self.assertEqual(answer["result"]["serverInfo"]["version"], version)
            self.assertIn(word, client.said())
            self.assertEqual(version == "0.0.1", "older" in client.said(), client.said())
            client.process.kill()
            client.process.wait()
            owner.close()
            os.unlink(owner.path)

    def test_a_hello_that_makes_no_sense_is_refused(self):
        self.bridge().finish()
        answer, connection = said_hello(self.socket(), tools=["repo_lst"])
        self.assertIn("did you mean repo_list?", answer["error"]["message"])
        connection.close()
        answer, connection = said_hello(self.socket(), version=7)
        self.assertIn("hello:", answer["error"]["message"])
        connection.close()


class HttpTest(BridgeTest):
    def asker(self, *flags):
        path = os.path.join(self.scratch.path, f"asker-{time.monotonic_ns()}.log")
        with open(path, "wb") as log:
            process = subprocess.Popen([BINARY, "serve", *flags], env=self.scratch.env, cwd=self.scratch.path,
                                       stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)

        def said():
            with open(path, encoding="utf-8") as file:
                return file.read()
        return process, said

    @staticmethod
    def port(said):
        found = eventually(lambda: re.search(r"serving http://127\.0\.0\.1:(\d+)/mcp", said()), "it is told where")
        return int(found[1])

    @staticmethod
    def listens(port):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    def test_the_owner_listens_for_as_long_as_one_asks(self):
        client = self.bridge()
        server = self.owner()
        first, said = self.asker("--http", "127.0.0.1:0")
        port = self.port(said)
        self.assertIn("A token was made", said())
        self.assertIn(f"pid {server} owns", said())
        second, said_again = self.asker("--http", f"127.0.0.1:{port}")
        self.assertEqual(self.port(said_again), port)
        url = f"http://127.0.0.1:{port}"
        done = self.scratch.run("call", "pool_list", "--url", url)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"http:    {url}", self.scratch.run("status").stdout)
        first.terminate()
        self.assertEqual(first.wait(PATIENCE), 0)
        self.assertTrue(self.listens(port))
        second.terminate()
        self.assertEqual(second.wait(PATIENCE), 0)
        eventually(lambda: not self.listens(port), "nobody listens any more")
        self.assertEqual(self.owner(), server)
        client.tool("pool_list")

    def test_another_address_or_a_taken_port_is_refused_with_the_reason(self):
        self.bridge()
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            done = self.scratch.run("serve", "--http", f"127.0.0.1:{taken.getsockname()[1]}")
            self.assertEqual(done.returncode, 1)
            self.assertIn("is in use", done.stderr)
        _, said = self.asker("--http", "127.0.0.1:0")
        port = self.port(said)
        done = self.scratch.run("serve", "--http", "127.0.0.1:0", "--read-only")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"already listens on http://127.0.0.1:{port}", done.stderr)

    def test_the_one_who_asked_takes_over_when_the_owner_goes(self):
        self.bridge().finish()
        asker, said = self.asker("--http", "127.0.0.1:0")
        self.port(said)
        os.kill(self.owner(), signal.SIGKILL)
        eventually(lambda: self.owner() == asker.pid, "it is the server now")
        asker.terminate()
        self.assertEqual(asker.wait(PATIENCE), 0)

    def test_a_bridge_may_ask_as_well(self):
        client = self.bridge("--http", "127.0.0.1:0")
        port = self.port(client.said)
        self.kill_server()
        client.tool("pool_list")
        eventually(lambda: client.said().count("serving http://") == 2, "it listens again")
        client.finish()
        self.assertFalse(self.listens(port))


def clients_module():
    spec = importlib.util.spec_from_file_location("clients_run", os.path.join(TESTS, "clients", "run.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class SdkTest(unittest.TestCase):
    def test_official_clients_share_a_server_that_dies_under_them(self):
        clients = clients_module()
        reason = clients.PACKAGES.missing_tool()
        if reason:
            self.skipTest(reason)
        self.assertIsNone(clients.PACKAGES.install())
        script = clients.place(os.path.join(HERE, "sdk_clients.mjs"))
        done = subprocess.run([clients.PACKAGES.node(), script, BINARY], capture_output=True, text=True, timeout=3 * PATIENCE,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


def main(words):
    suite = unittest.TestSuite()
    for test_class in (StartTest, LifeTest, BindingTest, VersionTest, HttpTest, SdkTest):
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(test_class):
            if not words or any(word in test.id() for word in words):
                suite.addTest(test)
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    skipped = len(outcome.skipped)
    failed = len(outcome.failures) + len(outcome.errors)
    for test, reason in outcome.skipped:
        print(f"skipped {test.id()}: {reason}")
    print(f"{outcome.testsRun - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not outcome.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
