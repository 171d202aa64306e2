#include <doctest/doctest.h>

#include <string>

#include "control/alarms.h"
#include "support/manual_timers.h"

using namespace mahavishnu;
using base::Millis;

TEST_SUITE("alarms") {
  TEST_CASE("they ring in the order of their times") {
    support::ManualTimers timers;
    control::Alarms alarms(timers);
    const auto now = timers.now().mono;
    std::string rung;
    alarms.at(now + Millis{20}, [&] { rung += 'b'; });
    alarms.at(now + Millis{10}, [&] { rung += 'a'; });
    alarms.at(now + Millis{30}, [&] { rung += 'c'; });
    timers.advance(Millis{25});
    CHECK(rung == "ab");
    timers.advance(Millis{5});
    CHECK(rung == "abc");
  }

  TEST_CASE("a cancelled one never rings and the next still does") {
    support::ManualTimers timers;
    control::Alarms alarms(timers);
    const auto now = timers.now().mono;
    int rung = 0;
    const auto first = alarms.at(now + Millis{10}, [&] { rung += 100; });
    alarms.at(now + Millis{20}, [&] { ++rung; });
    alarms.cancel(first);
    alarms.cancel(first);
    timers.advance(Millis{50});
    CHECK(rung == 1);
  }

  TEST_CASE("one set from inside a callback rings in its own turn") {
    support::ManualTimers timers;
    control::Alarms alarms(timers);
    int rung = 0;
    alarms.at(timers.now().mono, [&] {
      ++rung;
      alarms.at(timers.now().mono + Millis{5}, [&] { ++rung; });
    });
    timers.advance(Millis{1});
    CHECK(rung == 1);
    timers.advance(Millis{5});
    CHECK(rung == 2);
  }
}
