// An attempt ends with everything it started.
#include <doctest/doctest.h>
#include <signal.h>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;

namespace {

// Runs it until it says "ready", cancels it, and counts what is left, within grace + 1 s.
void cancelled_leaves_nothing(const std::string& command, const std::string& sleep) {
  Ready ready;
  auto order = shell(command);
  ready.world.executor->start(order);
  ready.world.wait_output(order.fence, "ready");
  REQUIRE_FALSE(with_argument(sleep).empty());
  const auto before = std::chrono::steady_clock::now();
  ready.world.executor->stop(order.fence, Reason::CancelledByCaller);
  const auto& end = ready.world.end_of(order.fence);
  CHECK(std::chrono::steady_clock::now() - before < order.grace + std::chrono::seconds(1));
  CHECK(with_argument(sleep).empty());
  CHECK(end.reason == Reason::CancelledByCaller);
  CHECK(end.processes_left == 0);
}

}  // namespace

TEST_SUITE("ending") {
  TEST_CASE("a command that heeds TERM ends at once") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing("echo ready; exec sleep " + sleep, sleep);
  }

  TEST_CASE("children that ignore TERM are killed") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing(
        "trap '' TERM; sleep " + sleep + " & echo ready; while :; do wait; done", sleep);
  }

  TEST_CASE("children that fork twice and leave the session are found") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing("(setsid sh -c 'trap \"\" TERM; setsid sleep " + sleep + " & sleep " +
                                 sleep + "; sleep " + sleep + "' &) ; echo ready; sleep 60",
                             sleep);
  }

  TEST_CASE("children that clear their environment are found") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing("(env -i setsid sh -c 'trap \"\" TERM; sleep " + sleep + "; sleep " +
                                 sleep + "' &); echo ready; sleep 60",
                             sleep);
  }

  TEST_CASE("children that close their pipes are found") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing("echo ready; exec >&- 2>&-; sleep " + sleep + " & wait", sleep);
  }

  TEST_CASE("children that flood their pipes are ended") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing("echo ready; sleep " + sleep + " & trap '' TERM; yes", sleep);
  }

  TEST_CASE("children that are stopped are ended") {
    const std::string sleep = long_sleep();
    cancelled_leaves_nothing("sleep " + sleep + " & kill -STOP $!; echo ready; wait", sleep);
  }

  TEST_CASE("what a command leaves running when it ends is ended with it") {
    Ready ready;
    const std::string sleep = long_sleep();
    const auto& end = ready.world.run(shell("(setsid sh -c 'trap \"\" TERM; sleep " + sleep +
                                            "; sleep " + sleep + "' &); echo done; exit 2"));
    CHECK(end.reason == Reason::ExitCode);
    CHECK(end.exit_code == 2);
    CHECK(end.result.text == "done\n");
    CHECK(with_argument(sleep).empty());
  }

  TEST_CASE("what floods its pipes cannot keep an attempt from being verified and ended") {
    Ready ready;
    auto order = shell("yes & true");
    order.work.verify = "true";
    CHECK(ready.world.run(order).reason == Reason::Ok);
  }

  TEST_CASE("TERM comes first, so that a command can clean up") {
    Ready ready;
    auto order =
        shell("trap 'echo cleaned; exit 9' TERM; echo ready; while :; do sleep 0.02; done");
    order.grace = Millis(5000);
    ready.world.executor->start(order);
    ready.world.wait_output(order.fence, "ready");
    ready.world.executor->stop(order.fence, Reason::CancelledByCaller);
    const auto& end = ready.world.end_of(order.fence);
    CHECK(end.result.text.find("cleaned\n") != std::string::npos);
    CHECK(end.exit_code == 9);
    CHECK(end.reason == Reason::CancelledByCaller);
  }

  TEST_CASE("a shim that is told to end takes its attempt along") {
    Ready ready;
    const std::string sleep = long_sleep();
    auto order = shell("echo ready; sleep " + sleep);
    ready.world.executor->start(order);
    ready.world.wait_output(order.fence, "ready");
    ::kill(shim_of(ready.folder, order.fence), SIGTERM);
    CHECK(ready.world.end_of(order.fence).reason == Reason::Lost);
    CHECK(with_argument(sleep).empty());
  }

  TEST_CASE("a shim that is killed is a lost attempt, of which nothing is left") {
    Ready ready;
    const std::string sleep = long_sleep();
    auto order = shell("(env -i setsid sleep " + sleep + " &); setsid sleep " + sleep +
                       " & echo ready >&2; sleep " + sleep);
    ready.world.executor->start(order);
    ready.world.wait_output(order.fence, "ready");
    ::kill(shim_of(ready.folder, order.fence), SIGKILL);
    const auto& end = ready.world.end_of(order.fence);
    CHECK(end.reason == Reason::Lost);
    CHECK(end.processes_left == 0);
    CHECK(with_argument(sleep).empty());
    CHECK(ready.world.ends[order.fence] == 1);
  }
}
