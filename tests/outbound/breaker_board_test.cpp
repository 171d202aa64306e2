// The breakers of all targets, shared by those who call them.
#include "outbound/breaker_board.h"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace mahavishnu;
using domain::Breaker;
using domain::BreakerState;
using outbound::BreakerBoard;

namespace {

struct Board {
  base::MonoTime now{std::chrono::seconds(100)};
  BreakerBoard board{[this] { return now; }};

  void trip(const std::string& target) {
    const auto fuse = board.fuse(target, {2, base::Millis(1000)});
    for (int i = 0; i < 2; ++i) fuse->failed(fuse->ask(), "it refused");
  }
};

}  // namespace

TEST_SUITE("breaker board") {
  TEST_CASE("each target has a breaker of its own, the same at every call") {
    Board b;
    CHECK(b.board.fuse("a") == b.board.fuse("a"));
    b.trip("b");
    CHECK(b.board.fuse("a")->ask().verdict == Breaker::Verdict::Allowed);
    CHECK(b.board.fuse("b")->ask().verdict == Breaker::Verdict::Refused);
  }

  TEST_CASE("the list says in which state each is, for how long, and why") {
    Board b;
    b.board.fuse("a");
    b.trip("b");
    b.now += base::Millis(400);
    const auto views = b.board.list();
    REQUIRE(views.size() == 2);
    CHECK(views[0].target == "a");
    CHECK(views[0].state == BreakerState::Closed);
    CHECK(views[0].in_state == base::Millis(-1));
    CHECK(views[1].state == BreakerState::Open);
    CHECK(views[1].last_error == "it refused");
    CHECK(views[1].in_state == base::Millis(400));
    CHECK(views[1].retry_in >= base::Millis(600));
    CHECK(views[1].retry_in <= base::Millis(850));  // a quarter of spread
    CHECK(views[1].counts.opened == 1);
  }

  TEST_CASE("a reset lets calls through and tells who waits for it") {
    Board b;
    b.trip("a");
    int told = 0;
    b.board.fuse("a")->on_reset([&told] { ++told; });
    CHECK(b.board.reset("a").has_value());
    CHECK(told == 1);
    CHECK(b.board.fuse("a")->ask().verdict == Breaker::Verdict::Allowed);
  }

  TEST_CASE("a target that is not there is named with what may be meant") {
    Board b;
    b.board.fuse("session_buddy");
    const auto reset = b.board.reset("session_body");
    REQUIRE_FALSE(reset.has_value());
    CHECK(reset.error().code == base::ErrorCode::NotFound);
    CHECK(reset.error().message.find("did you mean \"session_buddy\"") != std::string::npos);
  }

  TEST_CASE("of many threads that ask at once when the cool-down is over, one is the probe") {
    Board b;
    b.trip("a");
    b.now += base::Millis(2000);
    const auto fuse = b.board.fuse("a");
    std::atomic<int> probes{0}, waits{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        const auto verdict = fuse->ask().verdict;
        if (verdict == Breaker::Verdict::Probe) ++probes;
        if (verdict == Breaker::Verdict::Wait) ++waits;
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(probes == 1);
    CHECK(waits == 7);
  }
}
