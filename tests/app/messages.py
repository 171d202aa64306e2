"""The message bus with the real binary: groups, waiting, what the server tells, and kill -9.

usage: messages.py [NAME…]   runs the tests whose names hold one of the words
"""
import http.client
import json
import os
import random
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import e2e  # noqa: E402
from e2e import WithScratch, request  # noqa: E402

POLL = {"topic": "builds.*", "group": "ci"}


class MessagesTest(WithScratch):
    def test_a_repository_writes_to_others_by_tag_and_they_answer(self):
        for name in ("api", "web"):
            self.scratch.repository(name)
        self.scratch.repositories(*[(name, os.path.join(self.scratch.path, "src", name), ["node"])
                                    for name in ("api", "web")])
        server = self.serve("--toolsets", "all")
        sent = server.tool("message_publish", {"to": {"tag": "node"}, "from": "api", "body": "bump it"})
        self.assertEqual(sent["repos"], 2)
        inbox = server.tool("message_poll", {"repo": "web"})
        self.assertEqual([(item["from"], item["body"]) for item in inbox["items"]], [("api", "bump it")])
        done = server.tool("message_ack", {"group": inbox["group"], "messages": [inbox["items"][0]["message"]]})
        self.assertEqual(done, {"acked": 1, "unknown": []})
        server.tool("message_publish", {"to": {"repo": "api"}, "from": "web", "body": "done"})
        bodies = [item["body"] for item in server.tool("message_poll", {"repo": "api"})["items"]]
        self.assertEqual(bodies, ["bump it", "done"])
        self.assertEqual(server.stop(), 0)

    def test_a_poll_waits_for_a_message_and_for_what_the_server_tells(self):
        server = self.serve("--toolsets", "all")
        events = {"topic": "event.task.completed", "group": "watch"}
        server.tool("message_poll", events)
        got = []
        waiting = threading.Thread(target=lambda: got.append(
            server.tool("message_poll", {**events, "wait_ms": 45000})))
        waiting.start()
        task = server.tool("task_submit", {"command": "true", "labels": {"team": "core"}, "wait_ms": 30000})
        waiting.join()
        told = json.loads(got[0]["items"][0]["body"])
        self.assertEqual((told["task"], told["state"], told["pool"], told["labels"]),
                         (task["task"], "completed", "default", {"team": "core"}))
        self.assertEqual(got[0]["items"][0]["from"], "server")
        self.assertEqual(server.stop(), 0)

    def test_policies_are_chosen_by_topic_and_counted(self):
        server = self.serve("--toolsets", "all", env={"MAHAVISHNU_MESSAGES_MAX_PENDING": "2",
                                 "MAHAVISHNU_MESSAGES_POLICIES": "logs.#=drop_oldest,live.#=disconnect"})
        for topic in ("logs", "live", "jobs"):
            server.tool("message_poll", {"topic": topic, "group": topic})
            for body in ("1", "2"):
                server.tool("message_publish", {"topic": topic, "body": body})
        self.assertEqual(server.tool("message_publish", {"topic": "logs", "body": "3"})["dropped"], 1)
        self.assertEqual(server.tool("message_publish", {"topic": "live", "body": "3"})["groups"], 0)
        refused = server.tool("message_publish", {"topic": "jobs", "body": "3"}, status=429)
        self.assertIn('group "jobs" has 2 messages', refused["error"]["message"])
        told = server.tool("message_poll", {"topic": "live", "group": "live"}, status=503)
        self.assertIn("was disconnected", told["error"]["message"])
        counters = server.tool("metrics_get")["counters"]
        self.assertEqual([counters[f"messages_{name}"] for name in ("blocked", "dropped", "disconnected")],
                         [1, 3, 1])
        self.assertEqual(server.stop(), 0)

    def test_the_set_is_listed_when_it_is_asked_for(self):
        client = self.speak()
        names = [tool["name"] for tool in client.ask(request(1, "tools/list"))["result"]["tools"]]
        self.assertNotIn("message_poll", names)
        client.finish()
        client = self.speak("--toolsets", "core,message")
        names = [tool["name"] for tool in client.ask(request(1, "tools/list"))["result"]["tools"]]
        self.assertIn("message_poll", names)
        self.assertIn("task_submit", names)
        client.finish()
        done = self.scratch.run("serve", "--stdio", "--in-process", "--toolsets", "messages")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("there are core, message, ops, all", done.stderr)

    def test_a_wrong_policy_is_refused_at_the_start(self):
        done = self.scratch.run("serve", "--http", "127.0.0.1:0",
                                env={"MAHAVISHNU_MESSAGES_POLICIES": "logs=drop"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn('"logs=drop" is not PATTERN=POLICY', done.stderr)


class Publisher(threading.Thread):
    """Publishes numbered messages until the server dies; remembers which were answered."""

    def __init__(self, server, name):
        super().__init__()
        self.server, self.name, self.accepted = server, name, []

    def run(self):
        for number in range(100000):
            body = f"{self.name}-{number}"
            try:
                self.server.tool("message_publish", {"topic": "builds.api", "body": body})
            except (OSError, http.client.HTTPException, ValueError):  # it is dead
                return
            self.accepted.append(body)


class KillTest(WithScratch):
    def test_after_kill_9_every_answered_message_is_there_and_no_answered_ack_comes_back(self):
        chance = random.Random(7)
        server = self.serve("--toolsets", "all")
        server.tool("message_poll", POLL)
        accepted, acked, seen = set(), set(), set()
        for life in range(5):
            publishers = [Publisher(server, f"p{life}{one}") for one in range(4)]
            for publisher in publishers:
                publisher.start()
            self.consume(server, acked, seen, chance.randrange(5, 40))
            server.signal(signal.SIGKILL)
            server.wait()
            for publisher in publishers:
                publisher.join()
                accepted.update(publisher.accepted)
            server = self.serve("--toolsets", "all")
        # What the last life had taken and not confirmed is free again, as nobody holds it.
        while items := server.tool("message_poll", {**POLL, "limit": 100})["items"]:
            for item in items:
                self.assertNotIn(item["body"], acked)
                seen.add(item["body"])
            server.tool("message_ack", {"group": "ci", "messages": [item["message"] for item in items]})
        self.assertGreater(len(accepted), 50)
        self.assertGreater(len(acked), 10)
        self.assertEqual(accepted - seen, set())
        self.assertEqual(server.tool("message_topics")["messages"], 0)
        self.assertEqual(server.stop(), 0)

    def consume(self, server, acked, seen, rounds):
        """Takes some at a time and confirms only every other one."""
        for _ in range(rounds):
            items = server.tool("message_poll", {**POLL, "limit": 3, "wait_ms": 5000})["items"]
            for item in items:
                self.assertNotIn(item["body"], acked)
                seen.add(item["body"])
            server.tool("message_ack", {"group": "ci", "messages": [items[0]["message"]]})
            acked.add(items[0]["body"])


if __name__ == "__main__":
    sys.exit(e2e.main(sys.argv[1:], sys.modules[__name__]))
