// Workers that a pool keeps ready are there before their work is.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include <algorithm>

#include "tests/workers/proc.h"
#include "tests/workers/world.h"
#include "workers/spares.h"

using namespace mahavishnu::workers;
using namespace mahavishnu::workers::test;
using mahavishnu::domain::PoolId;

namespace {

constexpr PoolId kPool{{1, 1}};
constexpr PoolId kOther{{1, 2}};

std::vector<pid_t> shims() {
  auto found = descendants_of(zygote_of_this_process());
  std::sort(found.begin(), found.end());
  return found;
}

void keep_ready(World& world, PoolId pool, int workers) {
  bool up = false;
  world.executor->keep_ready(pool, workers);
  world.executor->when_ready([&] { up = true; });
  CHECK_FALSE(up);
  world.until([&] { return up; });
}

void until_replaced(World& world, const std::vector<pid_t>& one) {
  world.until([&] {
    const auto now = shims();
    return now.size() == 1 && now != one;
  });
}

bool contains(const std::vector<pid_t>& pids, pid_t pid) {
  return std::find(pids.begin(), pids.end(), pid) != pids.end();
}

}  // namespace

TEST_SUITE("workers kept ready") {
  TEST_CASE("they are up before there is work, and get it") {
    Ready ready;
    keep_ready(ready.world, kPool, 3);
    const auto up = shims();
    CHECK(up.size() == 3);
    CHECK(contains(up, shim_that_ran(ready.world, 1)));
    CHECK(shims() == up);
  }

  TEST_CASE("their attempts find a file, and never each other's") {
    Ready ready;
    const auto run_dir = (ready.folder.path() / "run").string();
    keep_ready(ready.world, kPool, 2);
    CHECK(find_spares(run_dir, 9).size() == 4);
    for (std::uint64_t i = 1; i <= 6; ++i) ready.world.executor->start(shell("echo $$", i));
    for (std::uint64_t i = 1; i <= 6; ++i) CHECK(ready.world.end_of({7, i}).reason == Reason::Ok);
    CHECK(find_spares(run_dir, 9).empty());
    for (std::uint64_t i = 1; i <= 6; ++i) {
      const auto state = read_attempt(attempt_path(run_dir, {7, i}));
      REQUIRE(state);
      CHECK(state->header.fence == Fence{7, i});
    }
  }

  TEST_CASE("files a former server left for them are used, and do not stand in the way") {
    Folder folder;
    for (int life = 0; life < 2; ++life) {
      World world(folder.path());
      world.recover();
      keep_ready(world, kPool, 1);
      keep_ready(world, kPool, 2);
      CHECK(find_spares(folder.path().string(), 9).size() >= 2);
      shim_that_ran(world, static_cast<std::uint64_t>(life) + 1);
    }
  }

  TEST_CASE("those at work count") {
    Ready ready;
    const Gate gate(ready.folder);
    ready.world.executor->start(shell("echo on; " + gate.wait(), 1));
    ready.world.wait_output({7, 1}, "on");
    keep_ready(ready.world, kPool, 2);
    const auto up = shims();
    gate.open();
    ready.world.end_of({7, 1});
    CHECK(up.size() == 3);  // two, and the command of the first
  }

  TEST_CASE("they stay when there is no work, and what was more than them leaves") {
    Folder folder;
    const Gate gate(folder);
    World world(folder.path(), Millis(30000), Millis(10));
    world.recover();
    keep_ready(world, kPool, 1);
    for (std::uint64_t i = 1; i <= 2; ++i) {
      world.executor->start(shell("echo on; " + gate.wait(), i));
      world.wait_output({7, i}, "on");
    }
    gate.open();
    gate.open();
    for (std::uint64_t i = 1; i <= 2; ++i) {
      world.end_of({7, i});
      world.executor->release({7, i});
    }
    world.until([] { return shims().size() == 1; });
    const auto left = shims();
    CHECK(contains(left, shim_that_ran(world, 3)));
  }

  TEST_CASE("one that dies is replaced") {
    Folder folder;
    World world(folder.path(), Millis(30000), Millis(10));
    world.recover();
    keep_ready(world, kPool, 1);
    const auto first = shims();
    REQUIRE(first.size() == 1);
    ::kill(first.front(), SIGKILL);
    until_replaced(world, first);
    CHECK(contains(shims(), shim_that_ran(world, 1)));
  }

  TEST_CASE("so is one whose attempt did not come to a clean end") {
    Folder folder;
    World world(folder.path(), Millis(30000), Millis(10));
    world.recover();
    keep_ready(world, kPool, 1);
    const auto first = shims();
    world.executor->start(shell("kill -9 $PPID; sleep 1000", 1));
    CHECK(world.end_of({7, 1}).reason == Reason::Lost);
    until_replaced(world, first);
  }

  TEST_CASE("after the end of the zygote there are new ones") {
    Ready ready;
    keep_ready(ready.world, kPool, 2);
    const auto former = shims();
    ::kill(zygote_of_this_process(), SIGKILL);
    ready.world.until([&] {
      const auto now = shims();
      return now.size() == 2 && !contains(former, now[0]) && !contains(former, now[1]);
    });
    CHECK(contains(shims(), shim_that_ran(ready.world, 1)));
  }

  TEST_CASE("pools add up, to a bound; one that is gone keeps none") {
    Folder folder;
    World world(folder.path(), Millis(30000), Millis(10));
    world.recover();
    keep_ready(world, kPool, 2);
    keep_ready(world, kOther, 10000);
    CHECK(shims().size() == 128);
    keep_ready(world, kOther, 0);
    world.until([] { return shims().size() == 2; });
    keep_ready(world, kPool, 0);
    world.until([] { return shims().empty(); });
  }

  TEST_CASE("who waits for them while the zygote ends is told when those of the next are up") {
    Ready ready;
    const pid_t zygote = zygote_of_this_process();
    ::kill(zygote, SIGSTOP);
    bool up = false;
    ready.world.executor->keep_ready(kPool, 2);
    ready.world.executor->when_ready([&] { up = true; });
    ::kill(zygote, SIGKILL);
    ready.world.until([&] { return up; });
    CHECK(shims().size() == 2);
    CHECK(zygote_of_this_process() != zygote);
  }

  TEST_CASE("they end with their server") {
    Folder folder;
    World world(folder.path());
    world.recover();
    keep_ready(world, kPool, 1);
    const Watched shim(shims().front());
    world.executor.reset();
    CHECK(shim.ended_within(20000));
  }
}
