#include <doctest/doctest.h>

#include "base/histogram.h"

using namespace mahavishnu::base;
using std::chrono::microseconds;

namespace {
MonoTime at(int seconds) { return MonoTime{std::chrono::seconds{seconds}}; }
}  // namespace

TEST_SUITE("histogram") {
  TEST_CASE("an empty one answers zeros") {
    const Histogram values;
    CHECK(values.count() == 0);
    CHECK(values.quantile_ms(0.5) == 0);
    CHECK(values.min_ms() == 0);
  }

  TEST_CASE("quantiles are at most 7 % off over five orders of magnitude") {
    Histogram values;
    for (int i = 1; i <= 100000; ++i) values.add(microseconds{i * 10});
    for (const double share : {0.01, 0.5, 0.9, 0.99}) {
      const double exact = share * 1000.0;  // milliseconds
      CHECK(values.quantile_ms(share) == doctest::Approx(exact).epsilon(0.07));
    }
    CHECK(values.mean_ms() == doctest::Approx(500.0).epsilon(0.001));
    CHECK(values.max_ms() == 1000.0);
    CHECK(values.min_ms() == 0.01);
  }

  TEST_CASE("a value beyond the range is kept as the largest") {
    Histogram values;
    values.add(std::chrono::hours{1000});
    CHECK(values.quantile_ms(0.5) == values.max_ms());
  }

  TEST_CASE("a window forgets what is older than it") {
    WindowedHistogram values(Millis{60000}, 16);
    values.add(at(0), microseconds{1000});
    values.add(at(600), microseconds{2000});
    CHECK(values.count(at(600), Millis{900000}) == 2);
    CHECK(values.count(at(600), Millis{300000}) == 1);
    CHECK(values.count(at(3600), Millis{900000}) == 0);
  }

  TEST_CASE("a slot that comes round again starts empty") {
    WindowedHistogram values(Millis{1000}, 4);
    values.add(at(0), microseconds{10});
    values.add(at(4), microseconds{20});
    CHECK(values.over(at(4), Millis{4000}).count() == 1);
    CHECK(values.over(at(4), Millis{4000}).max_ms() == 0.02);
  }
}
