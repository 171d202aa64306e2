// Session Buddy that does not work, in every way: nothing is lost, nothing hangs, and it says so.
#include <atomic>
#include <future>

#include "buddy.h"

using namespace mahavishnu;
using base::Millis;
using domain::BreakerState;
using domain::SyncStatus;
using rpc::Json;
using support::Buddy;
using support::Peer;
using support::Sending;

namespace {

// A server whose stores go wrong in some way until it is well.
struct Hospital {
  explicit Hospital(std::function<void(Peer::Line&)> ill,
                    outbound::SessionBuddyOptions options = Sending::quick())
      : peer([this](Peer::Line& line) { buddy.serve(line); }),
        sending(peer.url("/mcp"), std::move(options)) {
    buddy.store = [this, ill = std::move(ill)](Peer::Line& line, const Json&) {
      if (well) return false;
      ill(line);
      return true;
    };
    sending.buddy->start();
  }

  Buddy buddy;
  std::atomic<bool> well{false};
  Peer peer;
  Sending sending;
};

void check_recovers(Hospital& world) {
  world.sending.outbox.add(30);
  const auto down = world.sending.until(
      [](const SyncStatus& status) { return status.breaker != BreakerState::Closed; });
  CHECK(down.state == SyncStatus::State::Down);
  CHECK_FALSE(down.last_error.empty());
  CHECK(down.outbox.waiting + down.outbox.dead == 30);
  world.well = true;
  const auto status = world.sending.sync();
  CHECK(status.outbox.waiting == 0);
  CHECK(status.outbox.dead == 0);
  CHECK(status.breaker == BreakerState::Closed);
  CHECK(world.buddy.count() == 30);
}

}  // namespace

TEST_SUITE("session buddy, bad days") {
  TEST_CASE("a server that answers 500") {
    Hospital world([](Peer::Line& line) { line.answer("oops", "500 Internal Server Error"); });
    check_recovers(world);
  }

  TEST_CASE("a server that closes in the middle of an answer") {
    Hospital world(
        [](Peer::Line& line) { line.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"); });
    check_recovers(world);
  }

  TEST_CASE("a server that closes without an answer") {
    Hospital world([](Peer::Line&) {});
    check_recovers(world);
  }

  TEST_CASE("a server that hangs") {
    Hospital world([](Peer::Line& line) { line.hang(); });
    check_recovers(world);
  }

  TEST_CASE("a server that drips") {
    Hospital world([](Peer::Line& line) {
      line.drip("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n" + std::string(99999, ' '));
    });
    check_recovers(world);
  }

  TEST_CASE("a server that speaks garbage") {
    Hospital world([](Peer::Line& line) { line.answer("\xFF\xFE not JSON"); });
    check_recovers(world);
  }

  TEST_CASE("a server that answers another question") {
    Hospital world(
        [](Peer::Line& line) { line.answer(R"({"jsonrpc":"2.0","id":-1,"result":{}})"); });
    check_recovers(world);
  }

  TEST_CASE("a server that redirects is not followed") {
    Hospital world([](Peer::Line& line) {
      line.answer("", "302 Found", "Location: http://127.0.0.1:1/\r\n");
    });
    check_recovers(world);
  }

  TEST_CASE("a server that lies about its length") {
    Hospital world([](Peer::Line& line) {
      line.write("HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n{}");
    });
    check_recovers(world);
  }

  TEST_CASE("a server that has no reflections for now") {
    Hospital world([](Peer::Line& line) { line.answer("busy", "503 Service Unavailable"); });
    check_recovers(world);
  }

  TEST_CASE("a server that is not there, for as long as that lasts") {
    const support::ClosedPort closed;
    Sending sending(closed.url());
    sending.buddy->start();
    sending.outbox.add(500);
    const auto status = sending.until(
        [&](const SyncStatus&) { return sending.board.list().front().counts.opened >= 4; });
    CHECK(status.outbox.waiting == 500);
    CHECK(status.outbox.dead == 0);
    CHECK(status.sent == 0);
    CHECK(sending.outbox.longest_page <= 20);
    CHECK(sending.outbox.reads <= 3);  // what is in memory is bounded
    CHECK(status.last_error.find("takes no connection") != std::string::npos);
  }

  TEST_CASE("after an outage calls come back one by one, not all at once") {
    std::atomic<int> at_once{0}, most{0};
    std::atomic<bool> counting{false};
    Hospital world([](Peer::Line& line) { line.answer("", "500 Internal Server Error"); });
    world.sending.outbox.add(60);
    world.sending.until([](const SyncStatus& s) { return s.breaker != BreakerState::Closed; });
    std::vector<int> begun;
    auto fail = world.buddy.store;
    {
      const std::lock_guard lock(world.buddy.mutex);
      world.buddy.most_at_once = 0;
      world.buddy.stored.clear();
    }
    world.well = true;
    std::unique_lock lock(world.buddy.mutex);
    world.buddy.moved.wait(lock, [&] { return world.buddy.stored.size() >= 3; });
    // One probe, then two, then …: with the third answer no more than some were begun together.
    CHECK(world.buddy.most_at_once <= 6);
  }

  TEST_CASE("while the breaker is open only probes go out") {
    std::atomic<int> calls{0};
    auto options = Sending::quick();
    options.breaker.cool_down = options.breaker.longest = Millis(60'000);
    options.http.connections = 2;
    Hospital world(
        [&calls](Peer::Line& line) {
          ++calls;
          line.answer("", "500 Internal Server Error");
        },
        options);
    world.sending.outbox.add(50);
    world.sending.until([](const SyncStatus& s) { return s.breaker == BreakerState::Open; });
    const int before = calls;
    CHECK(before <= 5);
    world.sending.look();
    CHECK(calls == before);
    world.well = true;
    REQUIRE(world.sending.board.reset(world.sending.board.list().front().target));
    CHECK(world.sending.sync().outbox.waiting == 0);
  }

  TEST_CASE("calls that lie ready are not made once the breaker has opened") {
    auto options = Sending::quick();
    options.http.connections = 12;
    options.http.read = options.http.total = Millis(20'000);
    options.breaker.failures = 1;
    options.breaker.cool_down = options.breaker.longest = Millis(60'000);
    std::atomic<int> calls{0};
    std::promise<void> all, opened;
    auto seen = opened.get_future().share();
    Hospital world(
        [&](Peer::Line& line) {
          const int call = ++calls;
          if (call == 12) all.set_value();
          if (call == 1) all.get_future().wait();
          if (call > 1) seen.wait();
          line.answer("", "500 Internal Server Error");
        },
        options);
    world.sending.outbox.add(50);
    world.sending.until([](const SyncStatus& s) { return s.breaker == BreakerState::Open; });
    world.sending.look();  // behind what the failure has led to
    opened.set_value();
    const auto status = world.sending.until([](const SyncStatus& s) { return s.in_flight == 0; });
    CHECK(calls.load() <= 13);  // twelve lay ready; one may have been taken before anybody knew
    CHECK(status.outbox.waiting == 50);
  }

  TEST_CASE(
      "what is refused again and again dies, the others are not held up, and it can be revived") {
    Hospital world([](Peer::Line&) {});
    world.well = true;
    std::atomic<bool> picky{true};
    world.buddy.store = [&](Peer::Line& line, const Json& arguments) {
      const bool bad = arguments["content"].get<std::string>().starts_with("bad");
      if (!picky || !bad) return false;
      line.answer(R"({"error":"too long"})", "413 Payload Too Large");
      return true;
    };
    world.sending.outbox.add(1, "bad");
    world.sending.outbox.add(20);
    auto status = world.sending.sync();
    CHECK(status.accepted == 20);
    CHECK(status.outbox.dead == 1);
    CHECK(status.died == 1);
    CHECK(status.retried == 2);
    CHECK(status.breaker == BreakerState::Closed);
    picky = false;
    status = world.sending.sync(Millis(20'000), true);
    CHECK(status.outbox.dead == 0);
    CHECK(world.buddy.count() == 21);
  }

  TEST_CASE("a failure that hides in text is no success") {
    Hospital world([](Peer::Line&) {});
    world.well = true;
    world.buddy.text = "❌ Failed to store reflection";
    world.sending.outbox.add(1);
    const auto status = world.sending.sync();
    CHECK(status.accepted == 0);
    CHECK(status.outbox.dead == 1);
    CHECK(status.last_error == "❌ Failed to store reflection");
  }

  TEST_CASE("a server that has no tool to store with says what it lacks") {
    Hospital world([](Peer::Line&) {});
    {
      const std::lock_guard lock(world.buddy.mutex);
      world.buddy.tools = {"ping"};
    }
    world.sending.outbox.add(1);
    const auto status =
        world.sending.until([](const SyncStatus& s) { return s.breaker != BreakerState::Closed; });
    CHECK(status.last_error.find("store_reflection") != std::string::npos);
    CHECK(status.outbox.waiting == 1);
  }

  TEST_CASE("sessions that never last are trouble, not a loop") {
    Hospital world([](Peer::Line& line) { line.answer("", "404 Not Found"); });
    check_recovers(world);
  }

  TEST_CASE("a stream that is not ended after its answer holds nothing up") {
    Hospital world([](Peer::Line& line) { line.hang(); });
    world.buddy.store = [&](Peer::Line& line, const Json& arguments) {
      std::int64_t id = 0;
      {
        const std::lock_guard lock(world.buddy.mutex);
        const std::string& request = world.buddy.requests.back();
        id = Json::parse(Peer::Line::body(request))["id"];
        world.buddy.stored.push_back(arguments);
      }
      const std::string body =
          R"({"jsonrpc":"2.0","id":)" + std::to_string(id) + R"(,"result":{"content":[]}})";
      const std::string event = "data: " + body + "\n\n";
      char size[16];
      std::snprintf(size, sizeof size, "%zx", event.size());
      line.write(
          "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked"
          "\r\n\r\n" +
          std::string(size) + "\r\n" + event + "\r\n");
      line.hang();
      return true;
    };
    world.sending.outbox.add(1);
    const auto status = world.sending.sync();
    CHECK(status.accepted == 1);
    CHECK(status.retried == 0);
  }

  TEST_CASE(
      "outcomes the disk does not take are written later, and nothing is sent twice for that") {
    Hospital world([](Peer::Line&) {});
    world.well = true;
    world.sending.outbox.full = 1;
    world.sending.outbox.add(5);
    const auto status = world.sending.sync();
    CHECK(status.outbox.waiting == 0);
    CHECK(world.buddy.count() == 5);
  }

  TEST_CASE("a search fails at once while it is not called, and says why") {
    Hospital world([](Peer::Line& line) { line.answer("", "500 Internal Server Error"); });
    world.sending.outbox.add(5);
    world.sending.until([](const SyncStatus& s) { return s.breaker == BreakerState::Open; });
    const auto hits = world.sending.search("make");
    if (!hits) CHECK(hits.error().code == base::ErrorCode::Unavailable);
  }

  TEST_CASE("a hung server does not keep it from being stopped") {
    auto options = Sending::quick();
    options.http.read = options.http.total = Millis(600'000);
    std::promise<void> hung;
    std::atomic<bool> told{false};
    Hospital world(
        [&](Peer::Line& line) {
          if (!told.exchange(true)) hung.set_value();
          line.hang();
        },
        options);
    world.sending.outbox.add(50);
    hung.get_future().wait();
    world.sending.buddy->stop();
    CHECK(world.sending.outbox.counts()->waiting == 50);
  }

  TEST_CASE("five megabytes and bytes that are no text are sent as what can be sent of them") {
    Hospital world([](Peer::Line&) {});
    world.well = true;
    world.sending.outbox.add(1, std::string(5U << 20U, 'x') + "\xFF\xFE");
    CHECK(world.sending.sync().accepted == 1);
    CHECK(world.buddy.stored[0]["content"].get<std::string>().size() <= 10'000);
  }
}
