#include "control/clocks.h"

#include <doctest/doctest.h>

using namespace mahavishnu;
using base::Millis;
using base::MonoTime;
using control::Clocks;
using control::Stage;
using std::chrono::microseconds;
using std::chrono::minutes;

namespace {

constexpr MonoTime kStart{std::chrono::hours{1}};
constexpr Millis kFiveMinutes{300000};
constexpr base::PoolId kPool{{1, 1}};

}  // namespace

TEST_SUITE("Clocks") {
  TEST_CASE("durations are told by operation and by stage, those without any are not") {
    Clocks clocks;
    for (int i = 1; i <= 100; ++i) clocks.add("task_get", kStart, microseconds{i * 1000});
    clocks.add(Stage::Journal, kStart, microseconds{2000});
    const auto told = clocks.latency(kStart, kFiveMinutes);
    REQUIRE(told.size() == 2);
    const auto& quantiles = told.at("task_get");
    CHECK(quantiles.count == 100);
    CHECK(quantiles.min == doctest::Approx(1));
    CHECK(quantiles.max == doctest::Approx(100));
    CHECK(quantiles.mean == doctest::Approx(50.5));
    CHECK(quantiles.p50 == doctest::Approx(50).epsilon(0.07));
    CHECK(quantiles.p99 == doctest::Approx(99).epsilon(0.07));
    CHECK(told.contains("stage.journal"));
  }

  TEST_CASE("what is older than the window counts in the totals only") {
    Clocks clocks;
    clocks.add("task_get", kStart, microseconds{500});
    const auto later = kStart + minutes{20};
    clocks.add("task_get", later, microseconds{1500});
    CHECK(clocks.latency(later, kFiveMinutes).at("task_get").count == 1);
    CHECK(clocks.per_second(later, kFiveMinutes).at("task_get") == doctest::Approx(1 / 300.0));
    CHECK(clocks.totals().at("task_get").count == 2);
    CHECK(clocks.totals().at("task_get").seconds == doctest::Approx(0.002));
  }

  TEST_CASE("operations beyond the bound are counted together") {
    Clocks clocks;
    for (std::size_t i = 0; i < Clocks::kMostOperations + 10; ++i) {
      clocks.add("operation " + std::to_string(i), kStart, microseconds{1});
    }
    CHECK(clocks.totals().size() == Clocks::kMostOperations + 1);
    CHECK(clocks.totals().at("other").count == 10);
  }

  TEST_CASE("counters beyond the bound are counted together") {
    Clocks clocks;
    clocks.count("refused", 2);
    clocks.count("refused");
    for (std::size_t i = 0; i < Clocks::kMostOperations; ++i) {
      clocks.count("counter " + std::to_string(i));
    }
    CHECK(clocks.counters().at("refused") == 3);
    CHECK(clocks.counters().at("other") == 1);
  }

  TEST_CASE("a pool's times and its tasks a minute, until it is forgotten") {
    Clocks clocks;
    clocks.queue_wait(kPool, kStart, microseconds{3000});
    for (int i = 0; i < 30; ++i) {
      clocks.run_time(kPool, kStart + minutes{i / 10}, microseconds{7000});
    }
    const auto now = kStart + minutes{2};
    const auto times = clocks.pool(kPool, now);
    CHECK(times.queue_wait.count == 1);
    CHECK(times.queue_wait.max == doctest::Approx(3));
    CHECK(times.run_time.count == 30);
    CHECK(times.per_minute_15 == doctest::Approx(2));
    CHECK(times.per_minute_5 == doctest::Approx(6));
    CHECK(clocks.latency(now, kFiveMinutes).at("stage.capacity_wait").count == 1);
    CHECK(clocks.latency(now, kFiveMinutes).at("stage.run").count == 30);
    clocks.forget(kPool);
    CHECK(clocks.pool(kPool, now).run_time.count == 0);
  }
}
