// Limits: time, output, memory, processor, processes.
#include <doctest/doctest.h>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;

namespace {

bool says(const std::vector<std::string>& list, const std::string& word) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& each) { return each.starts_with(word); });
}

#ifdef __SANITIZE_ADDRESS__
constexpr std::size_t kPeakKib = 262144;  // most of it the sanitizer's own
#else
constexpr std::size_t kPeakKib = 16384;
#endif

std::size_t peak_kib(pid_t pid) {
  const std::string status = slurp("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::strtoull(status.c_str() + at + 6, nullptr, 10);
}

}  // namespace

TEST_SUITE("limits") {
  TEST_CASE("an attempt that runs too long is timed out") {
    Ready ready;
    auto order = shell("echo begun; sleep 60");
    order.timeouts.run = Millis(200);
    const auto& end = ready.world.run(order);
    CHECK(end.reason == Reason::TimedOut);
    CHECK(end.result.message == "ran longer than timeouts.run, 200 ms");
    CHECK(end.result.text == "begun\n");
    CHECK(end.processes_left == 0);
  }

  TEST_CASE("an attempt that says nothing is idle; one that talks is not") {
    Ready ready;
    auto quiet = shell("echo begun; sleep 60", 1);
    quiet.timeouts.idle = Millis(300);
    CHECK(ready.world.run(quiet).reason == Reason::IdleTimeout);
    auto busy = shell("for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.1; done", 2);
    busy.timeouts.idle = Millis(700);
    CHECK(ready.world.run(busy).reason == Reason::Ok);
  }

  TEST_CASE("the time for all attempts is watched as well") {
    Ready ready;
    auto order = shell("sleep 60");
    order.total_left = Millis(200);
    CHECK(ready.world.run(order).reason == Reason::TotalTimeout);
  }

  TEST_CASE("verify counts against the attempt's time") {
    Ready ready;
    auto order = shell("true");
    order.work.verify = "sleep 60";
    order.timeouts.run = Millis(300);
    CHECK(ready.world.run(order).reason == Reason::TimedOut);
  }

  TEST_CASE("a flood of 100 MB costs no memory, and what was cut is said") {
    Ready ready;
    auto order =
        shell("echo START; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo END; sleep 60");
    order.work.limits.output_bytes = 1U << 20U;
    const Fence fence = order.fence;
    ready.world.executor->start(order);
    ready.world.until([&] {
      return ready.world.read(fence, OutputStream::All, -1, 100).text.ends_with("END\n");
    });
    CHECK(peak_kib(shim_of(ready.folder, fence)) < kPeakKib);
    ready.world.executor->stop(fence, Reason::CancelledByCaller);
    const auto& end = ready.world.end_of(fence);
    CHECK(end.result.output_bytes == 100000011);
    CHECK(end.result.dropped_bytes == 100000011 - (1U << 20U));
    CHECK(end.result.text.ends_with("x\nEND\n"));
    CHECK(std::filesystem::file_size(end.result.spool) < (1U << 20U) + 65536);
    const auto head = ready.world.read_spool(end.result.spool, OutputStream::All);
    CHECK(head.text.starts_with("START\nxxx"));
    CHECK(head.dropped_bytes == 98951435);
    const auto gap =
        ready.world.read_spool(end.result.spool, OutputStream::All, (1 << 20) - 65536 - 10);
    CHECK(gap.text.find("[… 98951435 bytes cut …]") != std::string::npos);
  }

  TEST_CASE("too much memory ends the attempt, or the limit is reported as not enforced") {
    Ready ready;
    auto order = shell("head -c 300000000 /dev/zero | tail | wc -c");
    order.work.limits.memory_bytes = 64U << 20U;
    const auto& end = ready.world.run(order);
    if (says(end.result.unenforced, "memory_bytes")) {
      CHECK(end.result.text != "300000000\n");
    } else {
      auto strict = shell("head -c 300000000 /dev/zero | tail -c 250000000 > /dev/null", 2);
      strict.work.limits.memory_bytes = 64U << 20U;
      const auto& killed = ready.world.run(strict);
      CHECK(killed.reason == Reason::OutOfMemory);
      CHECK(killed.result.message.find("limits.memory_bytes 67108864") != std::string::npos);
    }
  }

  TEST_CASE("the processor time of a process is limited") {
    Ready ready;
    auto order = shell("while :; do :; done");
    order.work.limits.cpu_ms = 1000;
    const auto& end = ready.world.run(order);
    CHECK(end.reason == Reason::Signal);
    CHECK(end.signal == SIGXCPU);
    CHECK(end.result.message.ends_with("used more than limits.cpu_ms 1000"));
    CHECK(says(end.result.unenforced, "cpu_ms (per process"));
  }

  TEST_CASE("a fork bomb stays within its limit and is ended, or the limit is reported") {
    Ready ready;
    auto probe = shell("true", 1);
    probe.work.limits.processes = 20;
    if (says(ready.world.run(probe).result.unenforced, "processes")) {
      MESSAGE("no pids controller here: the limit is reported, as it should be");
      return;
    }
    auto order = shell("b() { b | b & }; b; echo ready; sleep 60", 2);
    order.work.limits.processes = 20;
    order.timeouts.run = Millis(500);
    const auto& end = ready.world.run(order);
    CHECK(end.processes_left == 0);
    CHECK(processes_marked(mark_of(order)).empty());
    CHECK(end.result.unenforced.empty());
  }
}
