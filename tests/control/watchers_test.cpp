#include <doctest/doctest.h>

#include <optional>

#include "base/task_group.h"
#include "control/watchers.h"
#include "support/polled_loop.h"

using namespace mahavishnu;
using base::Millis;
using control::Topic;
using control::Watch;
using control::Watchers;

namespace {

constexpr base::Ulid kId{1, 2};

struct Bench : support::PolledLoop {
  control::Alarms alarms{timers};
  Watchers watchers{io.get_executor(), alarms, 2};
  base::TaskGroup group{io.get_executor(), "test"};

  base::MonoTime in(int ms) { return timers.now().mono + Millis{ms}; }
};

base::awaitable<void> wait_once(Watchers& watchers, base::MonoTime until,
                                std::optional<base::Result<bool>>& outcome) {
  Watch watch(watchers, {{kId, Topic::State}});
  outcome = co_await watch.changed(until);
}

}  // namespace

TEST_SUITE("watchers") {
  TEST_CASE("a change wakes the one who waits") {
    Bench bench;
    std::optional<base::Result<bool>> outcome;
    bench.group.spawn(wait_once(bench.watchers, bench.in(100), outcome));
    bench.poll();
    CHECK(!outcome);
    bench.watchers.notify(kId);
    bench.poll();
    REQUIRE(outcome);
    CHECK(outcome->value() == true);
    CHECK(bench.watchers.size() == 0);
  }

  TEST_CASE("the deadline ends a wait without a change") {
    Bench bench;
    std::optional<base::Result<bool>> outcome;
    bench.group.spawn(wait_once(bench.watchers, bench.in(100), outcome));
    bench.poll();
    bench.timers.advance(Millis{100});
    bench.poll();
    REQUIRE(outcome);
    CHECK(outcome->value() == false);
  }

  TEST_CASE("a change of something else, or of its output, wakes nobody") {
    Bench bench;
    std::optional<base::Result<bool>> outcome;
    bench.group.spawn(wait_once(bench.watchers, bench.in(100), outcome));
    bench.poll();
    bench.watchers.notify({9, 9});
    bench.watchers.notify(kId, Topic::Output);
    bench.poll();
    CHECK(!outcome);
    bench.group.cancel();
    bench.poll();
  }

  TEST_CASE("a change between looking and waiting is not missed") {
    Bench bench;
    std::optional<base::Result<bool>> outcome;
    struct Late {
      static base::awaitable<void> run(Watchers& watchers, base::MonoTime until,
                                       std::optional<base::Result<bool>>& out) {
        Watch watch(watchers, {{kId, Topic::State}});
        watchers.notify(kId);  // as if it happened while the state was read
        out = co_await watch.changed(until);
      }
    };
    bench.group.spawn(Late::run(bench.watchers, bench.in(100), outcome));
    bench.poll();
    REQUIRE(outcome);
    CHECK(outcome->value() == true);
  }

  TEST_CASE("cancelling the call ends the wait as cancelled") {
    Bench bench;
    std::optional<base::Result<bool>> outcome;
    bench.group.spawn(wait_once(bench.watchers, bench.in(100), outcome));
    bench.poll();
    bench.group.cancel();
    bench.poll();
    REQUIRE(outcome);
    CHECK(outcome->error().code == base::ErrorCode::Cancelled);
  }

  TEST_CASE("stopping the server ends every wait as unavailable") {
    Bench bench;
    std::optional<base::Result<bool>> one, other;
    bench.group.spawn(wait_once(bench.watchers, bench.in(100), one));
    bench.group.spawn(wait_once(bench.watchers, bench.in(100), other));
    bench.poll();
    bench.watchers.stop();
    bench.poll();
    CHECK(one->error().code == base::ErrorCode::Unavailable);
    CHECK(other->error().code == base::ErrorCode::Unavailable);
  }

  TEST_CASE("too many waits are refused with a hint") {
    Bench bench;
    Watch one(bench.watchers, {{kId, Topic::State}}), other(bench.watchers, {{kId, Topic::State}});
    const auto room = bench.watchers.room();
    REQUIRE(!room);
    CHECK(room.error().code == base::ErrorCode::Exhausted);
    CHECK(room.error().retry_after_ms > 0);
  }
}
