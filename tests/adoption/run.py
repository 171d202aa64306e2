"""What runs goes on when the server does not: killed, upgraded, away for too long, or restarted over
and over. With the real binary; what the shims and their recovery do by themselves is in tests/workers,
what clients notice in tests/bridge.

usage: run.py [NAME…]   runs the tests whose names hold one of the words
The last line is "N passed, N failed".
"""
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "app"), HERE]
from harness import BINARY, Stdio, eventually, processes_with  # noqa: E402
from world import RETRY, AdoptionTest, ended_within, newer_binary, read_file  # noqa: E402

NEWER = "9.1.0"


class GoesOnTest(AdoptionTest):
    def test_output_and_exit_code_are_whole_before_during_and_after_the_gap(self):
        self.serve()
        during, after = self.gate(), self.gate()
        task = self.submit(f"{self.say('start')}; echo before; echo e-before >&2; {during.wait}; echo during; "
                           f"{self.say('during')}; {after.wait}; echo after; echo e-after >&2; exit 7")
        eventually(lambda: "before" in self.output(task), "its first output is there")
        self.kill()
        during.open()
        self.until_heard("during")
        self.serve()
        self.assertEqual(self.get(task)["state"], "running")
        self.assertIn("during", self.output(task))
        after.open()
        view = self.end_of(task)
        self.assertEqual((view["state"], view["reason"]), ("failed", "exit_code"))
        self.assertEqual(view["attempts"][0]["exit_code"], 7)
        self.assertEqual(view["result"]["message"], "ended with exit code 7")
        self.assertEqual(sorted(self.output(task).split()), ["after", "before", "during", "e-after", "e-before"])
        self.assertEqual(self.tool("task_output", task=task, stream="stdout")["text"], "before\nduring\nafter\n")
        self.check_ran_once(task, view)

    def test_a_signal_is_told_as_one_whenever_it_comes(self):
        self.serve()
        in_gap, later = self.gate(), self.gate()
        tasks = [self.submit(f"{self.say('start')}; {gate.wait}; kill -USR1 $$") for gate in (in_gap, later)]
        self.until_heard("start", 2)
        shims = self.watch(self.shim_of(tasks[0]))
        self.kill()
        in_gap.open()
        self.check_ended(shims, "the shim of the one that was signalled has ended")
        self.serve()
        later.open()
        for task in tasks:
            view = self.end_of(task)
            self.assertEqual((view["state"], view["reason"]), ("failed", "signal"))
            self.assertEqual(view["result"]["message"], "ended by signal 10 (User defined signal 1)")
            self.check_ran_once(task, view)

    def test_what_ended_while_no_server_was_there_is_known_with_its_end(self):
        self.serve()
        gates = [self.gate() for _ in range(3)]
        ends = ["true", "exit 3", "sleep 1000 & exit 0"]
        tasks = [self.submit(f"{self.say('start')}; echo one; {gate.wait}; echo two; {end}")
                 for gate, end in zip(gates, ends)]
        self.until_heard("start", 3)
        shims = self.watch(*(self.shim_of(task) for task in tasks))
        self.kill()
        for gate in gates:
            gate.open()
        self.check_ended(shims, "their shims have ended")
        self.serve()
        views = [self.end_of(task) for task in tasks]
        self.assertEqual([(view["state"], view["reason"]) for view in views],
                         [("completed", "ok"), ("failed", "exit_code"), ("completed", "ok")])
        for task, view in zip(tasks, views):
            self.assertEqual(view["result"]["text"], "one\ntwo\n")
            self.assertEqual(view["attempts"][0]["processes_left"], 0)
            self.check_ran_once(task, view)

    def test_output_over_the_limit_keeps_head_and_tail_across_the_gap(self):
        self.serve()
        self.tool("pool_spawn", name="short", limits={"output_bytes": 65536})
        gate = self.gate()
        lines = "seq -f 'line %06g of many'"
        task = self.submit(f"{self.say('start')}; {lines} 1 9000; {self.say('said')}; {gate.wait}; {lines} 9001 18000; "
                           "echo the end", pool="short")
        self.until_heard("said")
        shims = self.watch(self.shim_of(task))
        self.kill()
        gate.open()
        self.check_ended(shims, "it ended with no server")
        self.serve()
        view = self.end_of(task)
        produced = 18000 * len("line 000001 of many\n") + len("the end\n")
        self.assertEqual((view["state"], view["output_bytes"]), ("completed", produced))
        self.assertTrue(view["result"]["truncated"])
        self.assertGreater(view["result"]["dropped_bytes"], produced - 2 * 65536)
        text = self.output(task)
        self.assertTrue(text.startswith("line 000001 of many\n"), text[:100])
        self.assertTrue(text.endswith("line 018000 of many\nthe end\n"), text[-100:])
        self.check_ran_once(task, view)

    def test_a_stopped_child_stays_and_goes_on_when_it_is_told_to(self):
        self.serve()
        task = self.submit(f"{self.say('start')}; echo one; {self.say('stops')}; kill -STOP $$; echo two")
        self.until_heard("stops")
        child = self.processes_of(task)[0]

        def is_stopped():
            return "T (stopped)" in read_file(f"/proc/{child}/status")

        eventually(is_stopped, "it has stopped itself")
        self.kill()
        self.serve()
        self.assertEqual(self.get(task)["state"], "running")
        self.assertTrue(is_stopped())
        os.kill(child, signal.SIGCONT)
        view = self.end_of(task)
        self.assertEqual((view["state"], view["result"]["text"]), ("completed", "one\ntwo\n"))
        self.check_ran_once(task, view)

    def test_a_killed_zygote_costs_nothing_that_runs_and_nothing_that_waits(self):
        self.serve()
        gate = self.gate()
        task = self.submit(f"{self.say('start')}; {gate.wait}; echo went on")
        self.until_heard("start")
        zygote = next(pid for pid in processes_with(self.scratch.path)
                      if "__zygote" in read_file(f"/proc/{pid}/cmdline"))
        watched = self.watch(zygote)
        os.kill(zygote, signal.SIGKILL)
        self.check_ended(watched, "the zygote has ended")
        later = [self.submit(f"{self.say('later')}; echo later") for _ in range(5)]
        for each in later:
            self.assertEqual(self.end_of(each)["state"], "completed")
        self.assertEqual(len(set(self.heard("later"))), 5)
        self.kill()
        self.serve()
        gate.open()
        view = self.end_of(task)
        self.assertEqual((view["state"], view["result"]["text"]), ("completed", "went on\n"))
        self.check_ran_once(task, view)

    def test_a_workflow_goes_on_with_its_next_step(self):
        names = ["one", "two", "three"]
        self.scratch.repositories(*((name, self.scratch.repository(name), ["all"]) for name in names))
        self.serve()
        gates = [self.gate(name) for name in names]
        stand = f"read line < {self.scratch.path}/gate-$(basename $PWD)"
        steps = [{"id": "first", "command": self.say("first")},
                 {"id": "second", "command": f"{self.say('second')}; {stand}", "depends_on": ["first"]},
                 {"id": "third", "command": self.say("third"), "depends_on": ["second"]},
                 {"id": "sum", "command": self.say("sum"), "each": "once", "depends_on": ["third"]}]
        workflow = self.tool("workflow_run", over={"all": True}, steps=steps)["workflow"]
        self.until_heard("second", 3)
        self.kill()
        self.serve()
        view = self.tool("workflow_get", workflow=workflow)
        self.assertEqual(view["state"], "running", view)
        gates[0].open()
        self.until_heard("third")
        self.kill()
        self.serve()
        for gate in gates[1:]:
            gate.open()
        eventually(lambda: self.tool("workflow_get", workflow=workflow, wait_ms=5000)["state"] == "completed",
                   "the workflow has completed")
        for step, times in (("first", 3), ("second", 3), ("third", 3), ("sum", 1)):
            self.assertEqual((len(self.heard(step)), len(set(self.heard(step)))), (times, times), step)

    def test_restarts_in_a_row_lose_and_repeat_nothing(self):
        self.serve()
        gates = [self.gate() for _ in range(6)]
        tasks = [self.submit(f"{self.say('start')}; {gate.wait}; echo ended; exit {number}",)
                 for number, gate in enumerate(gates)]
        self.until_heard("start", 6)
        moments = random.Random(7)
        for _ in range(6):  # killed before it is ready, or while it adopts
            self.kill()
            starting = subprocess.Popen([BINARY, "serve", "--http", "127.0.0.1:0"], env=self.scratch.env,
                                        cwd=self.scratch.path, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                starting.wait(moments.uniform(0, 0.06))
            except subprocess.TimeoutExpired:
                pass
            starting.kill()
            starting.wait()
            self.serve()
        for gate in gates:
            gate.open()
        for number, task in enumerate(tasks):
            view = self.end_of(task)
            self.assertEqual(view["attempts"][0].get("exit_code"), number, view)
            self.check_ran_once(task, view)

    def test_what_was_queued_behind_it_runs_once_it_has_ended(self):
        self.serve()
        self.tool("pool_spawn", name="narrow", max_workers=1)
        gate = self.gate()
        first = self.submit(f"{self.say('start')}; {gate.wait}", pool="narrow")
        self.until_heard("start")
        second = self.submit(self.say("second"), pool="narrow")
        self.kill()
        self.serve()
        self.assertEqual(self.get(second)["state"], "queued")
        self.assertEqual(self.tool("explain", task=second)["task"], second)
        gate.open()
        self.assertEqual(self.end_of(second)["state"], "completed")
        self.check_ran_once(first, self.end_of(first))


class EndsTest(AdoptionTest):
    lease_ms = 1000

    def test_with_no_server_the_lease_ends_an_attempt_and_all_below_it(self):
        self.serve()
        tree = ("trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 1000 & exec sleep 1000' & (sleep 1000 & sleep 1000) & "
                "sleep 1000 & ")
        once = self.submit(f"{tree} echo said; {self.say('start')}; wait; wait; sleep 1000")
        again = self.submit(f"{self.say('again')}; [ $(grep -c ^again {self.said}) -gt 1 ] && exit 0; sleep 1000",
                            retry=RETRY)
        self.until_heard("start")
        self.until_heard("again")
        eventually(lambda: len(self.processes_of(once)) >= 6, "its whole tree runs")
        running = self.processes_of(once) + self.processes_of(again)
        watched = self.watch(*running, self.shim_of(once), self.shim_of(again))
        self.kill()
        self.check_ended(watched, "everything has ended by itself")
        self.assertEqual(self.left(), [])
        self.serve()
        view = self.end_of(once)
        self.assertEqual((view["state"], view["reason"]), ("failed", "lost"))
        self.assertEqual(view["result"]["message"], "no server for 1000 ms: ended by its lease")
        self.assertEqual(view["result"]["text"], "said\n")
        self.assertEqual(view["attempts"][0]["processes_left"], 0)
        self.check_ran_once(once, view)
        view = self.end_of(again)
        self.assertEqual((view["state"], view["attempt"]), ("completed", 2))
        self.assertEqual([attempt["reason"] for attempt in view["attempts"]], ["lost", "ok"])
        self.assertEqual(len(set(self.heard("again"))), 2)

    def test_a_server_that_is_back_in_time_renews_the_lease(self):
        self.serve()
        gate = self.gate()
        task = self.submit(f"{self.say('start')}; {gate.wait}; echo lived")
        self.until_heard("start")
        [shim] = self.watch(self.shim_of(task))
        self.kill()
        self.serve()
        self.assertFalse(ended_within(shim, 2 * self.lease_ms / 1000), "the adopted attempt ended")
        gate.open()
        view = self.end_of(task)
        self.assertEqual((view["state"], view["result"]["text"]), ("completed", "lived\n"))
        self.check_ran_once(task, view)


class LostTest(AdoptionTest):
    def lose(self, in_gap):
        """Kills the shims of three tasks: one with little output, one with much, one that may try again."""
        self.serve()
        tail = f"{self.say('start')}; sleep 1000 & setsid sleep 1000 & wait"
        little = self.submit(f"echo little; {tail}")
        much = self.submit(f"seq 1 5000; {tail}")
        again = self.submit(f"{self.say('again')}; [ $(grep -c ^again {self.said}) -gt 1 ] && exit 0; {tail}",
                            retry=RETRY)
        self.until_heard("start", 3)
        eventually(lambda: self.get(much)["state"] == "running" and "5000\n" in self.output_end(much), "all is said")
        tasks = (little, much, again)
        shims = [self.shim_of(task) for task in tasks]
        below = self.watch(*(pid for task in tasks for pid in self.processes_of(task)), *shims)
        if in_gap:
            self.kill()
        for shim in shims:
            os.kill(shim, signal.SIGKILL)
        if in_gap:
            self.serve()
        self.check_ended(below, "nothing of them is left")
        for task in (little, much):
            view = self.end_of(task)
            self.assertEqual((view["state"], view["reason"]), ("failed", "lost"))
            self.assertRegex(view["result"]["message"],
                             r"^the attempt's shim \(process \d+\) was killed; what it had started was ended with it$")
            self.assertEqual(view["attempts"][0]["processes_left"], 0)
            self.check_ran_once(task, view)
        self.assertTrue(self.get(much)["result"]["text"].endswith("4999\n5000\n"))
        self.assertTrue(self.output(much).startswith("1\n2\n3\n"))
        view = self.end_of(again)
        self.assertEqual(([attempt["reason"] for attempt in view["attempts"]], view["state"]), (["lost", "ok"], "completed"))
        self.assertEqual(len(set(self.heard("again"))), 2)

    def output_end(self, task):
        return self.tool("task_output", task=task, offset=15000)["text"]

    def test_a_shim_that_is_killed_loses_its_attempt_with_what_was_said(self):
        self.lose(in_gap=False)

    def test_a_shim_that_is_killed_with_no_server_loses_it_no_less_clearly(self):
        self.lose(in_gap=True)


class CancelTest(AdoptionTest):
    def stubborn(self):
        """A task that ends by KILL only, seconds after it was cancelled."""
        return self.submit(f"trap '' TERM; {self.say('start')}; sleep 1000 & while :; do sleep 0.05; done")

    def check_cancelled(self, task):
        view = self.end_of(task)
        self.assertEqual((view["state"], view["reason"]), ("cancelled", "cancelled_by_caller"), view)
        self.assertEqual(view["attempts"][0]["processes_left"], 0)
        self.assertEqual(self.processes_of(task), [])
        self.check_ran_once(task, view)

    def test_a_cancel_that_was_answered_holds_over_a_kill(self):
        self.serve()
        running = self.stubborn()
        self.tool("pool_spawn", name="still")
        self.tool("pool_scale", pool="still", paused=True)
        queued = self.submit(self.say("queued"), pool="still")
        self.until_heard("start")
        for task in (running, queued):
            self.tool("task_cancel", task=task)
        self.kill()
        self.serve()
        self.tool("pool_scale", pool="still", paused=False)
        self.check_cancelled(running)
        self.assertEqual(self.end_of(queued)["state"], "cancelled")
        self.assertEqual(self.heard("queued"), [])

    def test_a_cancel_is_honoured_even_if_the_attempt_ends_with_no_server(self):
        self.serve()
        task = self.stubborn()
        self.until_heard("start")
        shims = self.watch(self.shim_of(task))
        self.tool("task_cancel", task=task)
        self.kill()
        self.check_ended(shims, "the shim ended it by itself")
        self.serve()
        self.check_cancelled(task)

    def test_a_kill_during_a_cancel_leaves_a_task_that_is_either_cancelled_or_runs(self):
        moments = random.Random(11)
        for _ in range(5):
            self.serve()
            task = self.stubborn()
            eventually(lambda task=task: [mark for mark in self.heard("start") if mark.startswith(task)], "it runs")
            answers = []

            def cancel(task=task, answers=answers):
                try:
                    answers.append(self.tool("task_cancel", task=task, wait_ms=20000))
                except (OSError, http.client.HTTPException):
                    pass  # the server went
            thread = threading.Thread(target=cancel)
            thread.start()
            thread.join(moments.uniform(0, 0.02))
            self.kill()
            thread.join()
            self.assertEqual(answers, [])
            self.serve()
            self.assertIn(self.get(task)["state"], ("running", "cancelled"))
            self.tool("task_cancel", task=task, wait_ms=20000)
            self.check_cancelled(task)
            self.assertEqual(self.server.stop(), 0)


class UpgradeTest(AdoptionTest):
    def newer(self):
        """A binary of another version and another inode."""
        path = newer_binary(os.path.join(self.scratch.path, "mahavishnu-newer"), NEWER)
        said = subprocess.run([path, "version"], capture_output=True, text=True, check=True).stdout
        self.assertIn(NEWER, said)
        return path

    def start(self):
        gate = self.gate()
        task = self.submit(f"{self.say('start')}; echo under the old; {gate.wait}; echo under the new; exit 4")
        self.until_heard("start")
        return task, gate

    def check_went_on(self, task, gate):
        self.assertIn(NEWER, json.dumps(self.server.request("GET", "/readyz")[2].decode()))
        self.assertEqual(self.get(task)["state"], "running")
        gate.open()
        view = self.end_of(task)
        self.assertEqual((view["reason"], view["result"]["text"]), ("exit_code", "under the old\nunder the new\n"))
        self.check_ran_once(task, view)

    def test_after_a_kill_another_version_adopts(self):
        self.serve()
        task, gate = self.start()
        self.kill()
        self.serve(binary=self.newer())
        self.check_went_on(task, gate)

    def test_after_a_stop_that_does_not_wait_another_version_adopts(self):
        server = self.serve()
        task, gate = self.start()
        server.signal()
        eventually(lambda: "a second signal ends at once" in server.log(), "it waits for what runs")
        server.signal()
        self.assertEqual(server.wait(), 128 + signal.SIGTERM)
        self.serve(binary=self.newer())
        self.check_went_on(task, gate)

    def test_a_binary_that_is_replaced_under_a_running_server_does_no_harm(self):
        path = os.path.join(self.scratch.path, "mahavishnu")
        newer_binary(path, "0.1.0")  # an old one of its own inode
        self.serve(binary=path)
        task, gate = self.start()
        newer_binary(path, NEWER)
        zygote = next(pid for pid in processes_with(self.scratch.path)
                      if "__zygote" in read_file(f"/proc/{pid}/cmdline"))
        os.kill(zygote, signal.SIGKILL)  # the next one is started from the file that is no longer there
        self.assertEqual(self.end_of(self.submit("true"))["state"], "completed")
        self.kill()
        self.serve(binary=path)
        self.check_went_on(task, gate)

    def test_a_newer_bridge_replaces_an_idle_server_and_uses_a_busy_one(self):
        self.addCleanup(lambda: self.scratch.run("stop"))
        newer = self.newer()

        def version_that_serves(binary):
            client = Stdio(self.scratch, in_process=False, binary=binary)
            self.addCleanup(client.kill)
            answer = client.ask({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "by hand", "version": "0"}}})
            return client, answer["result"]["serverInfo"]["version"]

        client, old = version_that_serves(BINARY)
        self.assertNotEqual(old, NEWER)
        gate = self.gate()
        task = self.scratch.call("task_submit", {"command": f"{self.say('start')}; {gate.wait}; echo done"})["task"]
        self.until_heard("start")
        client.finish()
        client, used = version_that_serves(newer)
        self.assertEqual(used, old)
        self.assertIn("and not idle: it is used as it is", client.said())
        client.finish()
        gate.open()
        self.assertEqual(self.scratch.call("task_get", {"task": task, "wait_ms": 20000})["state"], "completed")
        eventually(lambda: "clients: 0 " in self.scratch.run("status").stdout, "its clients have left")
        client, used = version_that_serves(newer)
        self.assertEqual(used, NEWER)
        self.assertIn("it ends, and a newer one follows", client.said())
        client.finish()
        view = self.scratch.call("task_get", {"task": task})
        self.assertEqual((view["state"], view["result"]["text"]), ("completed", "done\n"))


def main(words):
    suite = unittest.TestSuite()
    for test_class in (GoesOnTest, EndsTest, LostTest, CancelTest, UpgradeTest):
        for test in unittest.defaultTestLoader.loadTestsFromTestCase(test_class):
            if not words or any(word in test.id() for word in words):
                suite.addTest(test)
    outcome = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - failed} passed, {failed} failed")
    return 1 if failed or not outcome.testsRun else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
