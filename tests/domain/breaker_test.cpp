// When a target that fails may be called.
#include "domain/breaker.h"

#include <doctest/doctest.h>

#include <vector>

using mahavishnu::base::Millis;
using mahavishnu::base::MonoTime;
using mahavishnu::domain::Breaker;
using mahavishnu::domain::BreakerOptions;
using mahavishnu::domain::BreakerState;
using Verdict = Breaker::Verdict;

namespace {

constexpr MonoTime kStart{std::chrono::seconds(1000)};

struct Bench {
  Breaker breaker{BreakerOptions{3, Millis(1000), 2, Millis(5000), Millis(60'000)}};
  MonoTime now = kStart;

  Breaker::Pass ask() { return breaker.ask(now); }
  void fail() { breaker.failed(ask(), now); }
  void succeed() { breaker.succeeded(ask(), now); }
  void trip() {
    for (int i = 0; i < 3; ++i) fail();
  }
  void pass(Millis time) { now += time; }
};

}  // namespace

TEST_SUITE("breaker") {
  TEST_CASE("a target that works is always allowed") {
    Bench b;
    for (int i = 0; i < 100; ++i) b.succeed();
    CHECK(b.breaker.state() == BreakerState::Closed);
    CHECK(b.breaker.counts().allowed == 100);
    CHECK(b.breaker.counts().opened == 0);
  }

  TEST_CASE("failures open it when they come in a row, not when successes lie between") {
    Bench b;
    b.fail();
    b.fail();
    b.succeed();
    b.fail();
    b.fail();
    CHECK(b.breaker.state() == BreakerState::Closed);
    b.fail();
    CHECK(b.breaker.state() == BreakerState::Open);
    CHECK(b.ask().verdict == Verdict::Refused);
    CHECK(b.breaker.retry_at() == b.now + Millis(1000));
  }

  TEST_CASE("calls that fail together open it once, and for one cool-down") {
    Bench b;
    std::vector<Breaker::Pass> together;
    for (int i = 0; i < 20; ++i) together.push_back(b.ask());
    for (const auto& pass : together) b.breaker.failed(pass, b.now);
    CHECK(b.breaker.counts().opened == 1);
    CHECK(b.breaker.counts().failed == 20);
    CHECK(b.breaker.cool_down() == Millis(1000));
  }

  TEST_CASE("after the cool-down exactly one call is let through, the others wait for it") {
    Bench b;
    b.trip();
    b.pass(Millis(999));
    CHECK(b.ask().verdict == Verdict::Refused);
    b.pass(Millis(1));
    const auto probe = b.ask();
    CHECK(probe.verdict == Verdict::Probe);
    for (int i = 0; i < 20; ++i) CHECK(b.ask().verdict == Verdict::Wait);
    CHECK(b.breaker.state() == BreakerState::HalfOpen);
    b.breaker.succeeded(probe, b.now);
    CHECK(b.breaker.state() == BreakerState::Closed);
    CHECK(b.ask().verdict == Verdict::Allowed);
  }

  TEST_CASE("each probe that fails makes the cool-down longer, up to the longest") {
    Bench b;
    b.trip();
    for (const int expected : {1000, 2000, 4000, 5000, 5000}) {
      CHECK(b.breaker.cool_down() == Millis(expected));
      b.pass(Millis(expected));
      b.fail();
    }
    b.pass(Millis(5000));
    b.succeed();
    b.trip();
    CHECK(b.breaker.cool_down() == Millis(1000));  // it has recovered in between
  }

  TEST_CASE("the spread makes a cool-down up to a quarter longer") {
    Bench b;
    for (int i = 0; i < 3; ++i) b.breaker.failed(b.ask(), b.now, 1.0);
    CHECK(b.breaker.retry_at() == b.now + Millis(1250));
  }

  TEST_CASE("a late failure from before does not touch the probe, nor what has recovered") {
    Bench b;
    const auto old = b.ask();
    b.trip();
    b.pass(Millis(1000));
    const auto probe = b.ask();
    b.breaker.failed(old, b.now);
    CHECK(b.breaker.state() == BreakerState::HalfOpen);
    b.breaker.succeeded(probe, b.now);
    b.fail();
    b.fail();
    b.breaker.failed(old, b.now);  // would be the third
    CHECK(b.breaker.state() == BreakerState::Closed);
  }

  TEST_CASE("a late success from before does not close it") {
    Bench b;
    const auto old = b.ask();
    b.trip();
    b.breaker.succeeded(old, b.now);
    CHECK(b.breaker.state() == BreakerState::Open);
  }

  TEST_CASE("a probe that was dropped makes room for another") {
    Bench b;
    b.trip();
    b.pass(Millis(1000));
    b.breaker.dropped(b.ask());
    CHECK(b.ask().verdict == Verdict::Probe);
  }

  TEST_CASE("a probe that never comes back is given up, and what it brings then is nothing") {
    Bench b;
    b.trip();
    b.pass(Millis(1000));
    const auto lost = b.ask();
    b.pass(Millis(60'000));
    const auto second = b.ask();
    CHECK(second.verdict == Verdict::Probe);
    b.breaker.succeeded(lost, b.now);
    CHECK(b.breaker.state() == BreakerState::HalfOpen);
    b.breaker.succeeded(second, b.now);
    CHECK(b.breaker.state() == BreakerState::Closed);
  }

  TEST_CASE("a reset closes it at once and begins anew") {
    Bench b;
    b.trip();
    b.breaker.reset(b.now);
    CHECK(b.ask().verdict == Verdict::Allowed);
    CHECK(b.breaker.counts().in_a_row == 0);
    b.fail();
    CHECK(b.breaker.state() == BreakerState::Closed);
  }

  TEST_CASE("a pass that was refused says nothing when it is handed back") {
    Bench b;
    b.trip();
    const auto refused = b.ask();
    b.breaker.succeeded(refused, b.now);
    b.breaker.failed(refused, b.now);
    CHECK(b.breaker.state() == BreakerState::Open);
    CHECK(b.breaker.counts().failed == 3);
  }
}
