// How what is sent beside work gives way to it.
#include "outbound/pacer.h"

#include <doctest/doctest.h>

using namespace mahavishnu;
using base::Millis;
using base::MonoTime;
using outbound::Pacer;
using outbound::PacerLimits;
using outbound::RunTimes;

namespace {

// A thread whose times a test sets; pages of three, looks 50 ms apart.
struct Thread {
  std::optional<RunTimes> times = RunTimes{};
  int looks = 0;
  MonoTime now{std::chrono::seconds(1000)};
  Pacer pacer{PacerLimits{3, Millis(50), 4, Millis(100)}, [this] {
                ++looks;
                return times;
              }};

  Thread() { CHECK(pacer.sent(now) == Millis(0)); }  // from here on it counts

  void goes_on(int ran_us, int waited_us, Millis time = Millis(50)) {
    now += time;
    if (!times) return;
    times->ran += std::chrono::microseconds(ran_us);
    times->waited += std::chrono::microseconds(waited_us);
  }
  Millis page() {
    CHECK(pacer.sent(now) == Millis(0));
    CHECK(pacer.sent(now) == Millis(0));
    return pacer.sent(now);
  }
};

}  // namespace

TEST_SUITE("pacer") {
  TEST_CASE("a thread that has its core sends without a pause") {
    Thread thread;
    thread.goes_on(1000, 4000);
    CHECK(thread.page() == Millis(0));
  }

  TEST_CASE("one that waited longer than the limit pauses after the page") {
    Thread thread;
    thread.goes_on(1000, 4001);
    CHECK(thread.page() == Millis(100));
  }

  TEST_CASE("what it waited before it sent anything does not count") {
    Thread thread;
    thread.pacer = Pacer(PacerLimits{3, Millis(50), 4}, [&thread] { return thread.times; });
    thread.goes_on(1000, 90'000);
    CHECK(thread.pacer.sent(thread.now) == Millis(0));
    thread.goes_on(1000, 0);
    CHECK(thread.page() == Millis(0));
  }

  TEST_CASE("a wait of a moment is no reason to pause") {
    Thread thread;
    thread.goes_on(1000, 9000, Millis(10));
    CHECK(thread.page() == Millis(0));
    thread.goes_on(3000, 1000, Millis(40));
    CHECK(thread.pacer.sent(thread.now) == Millis(0));
    CHECK(thread.looks == 2);
  }

  TEST_CASE("what counts is the time since the last look") {
    Thread thread;
    thread.goes_on(1000, 90'000);
    CHECK(thread.page() == Millis(100));
    thread.goes_on(1000, 100);
    CHECK(thread.page() == Millis(0));
    thread.goes_on(1000, 5000);
    CHECK(thread.page() == Millis(100));
  }

  TEST_CASE("it looks once a page") {
    Thread thread;
    for (int pages = 1; pages <= 3; ++pages) {
      thread.goes_on(1, 1, Millis(1000));
      thread.page();
      CHECK(thread.looks == 1 + pages);
    }
  }

  TEST_CASE("where the times are not known nothing is slowed down") {
    Thread thread;
    thread.times.reset();
    thread.goes_on(0, 0);
    CHECK(thread.page() == Millis(0));
    thread.times = RunTimes{{}, std::chrono::seconds(90)};  // unknown before: nothing to compare
    thread.goes_on(0, 0);
    CHECK(thread.page() == Millis(0));
  }

  TEST_CASE("where the times are never known it looks as seldom") {
    Thread thread;
    thread.times.reset();
    thread.looks = 0;
    thread.pacer = Pacer(PacerLimits{3, Millis(50)}, [&thread] {
      ++thread.looks;
      return thread.times;
    });
    CHECK(thread.pacer.sent(thread.now) == Millis(0));
    for (int pages = 1; pages <= 3; ++pages) {
      thread.goes_on(0, 0);
      CHECK(thread.page() == Millis(0));
      CHECK(thread.looks == 1 + pages);
    }
  }

  TEST_CASE("the kernel counts the times of a thread") {
    const auto before = outbound::run_times_here();
    REQUIRE(before);
    CHECK(before->ran.count() > 0);
    const auto after = outbound::run_times_here();
    REQUIRE(after);
    CHECK(after->ran >= before->ran);
    CHECK(after->waited >= before->waited);
  }
}
