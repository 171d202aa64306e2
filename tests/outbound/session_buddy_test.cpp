// From the outbox to Session Buddy, when all is well.
#include "outbound/session_buddy.h"

#include <atomic>
#include <future>
#include <set>

#include "buddy.h"

using namespace mahavishnu;
using base::Millis;
using domain::SyncStatus;
using rpc::Json;
using support::Buddy;
using support::Peer;
using support::Sending;

namespace {

struct BuddyWorld {
  explicit BuddyWorld(outbound::SessionBuddyOptions options = Sending::quick())
      : peer([this](Peer::Line& line) { buddy.serve(line); }),
        sending(peer.url("/mcp"), std::move(options)) {}

  SyncStatus send(std::int64_t count) {
    sending.outbox.add(count);
    return sending.sync();
  }

  Buddy buddy;
  Peer peer;
  Sending sending;
};

outbound::SessionBuddyOptions patient() {
  auto options = Sending::quick();
  options.http.read = options.http.total = Millis(20'000);
  return options;
}

// As if work filled the cores: two memories a page, and a pause whose end nobody sees.
outbound::SessionBuddyOptions crowded() {
  auto options = patient();
  options.pace = {2, Millis(0), 3, std::chrono::hours(1)};
  options.run_times = [looks = std::make_shared<int>(0)] {
    return outbound::RunTimes{{}, std::chrono::seconds(++*looks)};
  };
  return options;
}

// Looks, without waiting for more, until so many have been.
SyncStatus accepted(BuddyWorld& world, std::uint64_t count) {
  auto status = world.sending.look();
  while (status.accepted < count) status = world.sending.look();
  return status;
}

}  // namespace

TEST_SUITE("session buddy") {
  TEST_CASE("what waits when it starts is sent, and leaves the outbox") {
    BuddyWorld world;
    world.sending.outbox.add(3);
    world.sending.buddy->start();
    const auto status = world.sending.sync();
    CHECK(status.state == SyncStatus::State::Idle);
    CHECK(status.outbox.waiting == 0);
    CHECK(status.accepted == 3);
    CHECK(status.spoken == "mcp 2025-06-18, store_reflection");
    CHECK(world.buddy.count() == 3);
    std::set<std::string> begins;
    for (const auto& stored : world.buddy.stored) {
      begins.insert(stored["content"].get<std::string>().substr(0, 6));
    }
    CHECK(begins == std::set<std::string>{"done 1", "done 2", "done 3"});
  }

  TEST_CASE("with nothing in the outbox nobody is called, and with all sent nobody again") {
    BuddyWorld world(patient());
    world.sending.buddy->start();
    CHECK(world.sending.sync().state == SyncStatus::State::Idle);
    CHECK(world.peer.connections() == 0);
    world.send(1);
    const std::size_t said = world.buddy.requests.size();
    const int reads = world.sending.outbox.reads;
    world.sending.sync();
    CHECK(world.buddy.requests.size() == said);
    CHECK(world.sending.outbox.reads == reads);
  }

  TEST_CASE("a memory that comes in is sent without being asked for") {
    BuddyWorld world;
    world.sending.buddy->start();
    world.sending.outbox.add(1);
    std::unique_lock lock(world.buddy.mutex);
    world.buddy.moved.wait(lock, [&] { return world.buddy.stored.size() == 1; });
    CHECK(world.buddy.stored.size() == 1);
  }

  TEST_CASE("many are sent over at most so many connections, each once, begun in their order") {
    auto options = patient();
    options.http.connections = 4;
    BuddyWorld world(options);
    world.sending.buddy->start();
    const auto status = world.send(200);
    CHECK(status.outbox.waiting == 0);
    CHECK(world.buddy.count() == 200);
    CHECK(world.buddy.most_at_once <= 4);
    CHECK(world.peer.connections() <= 4);
    CHECK(world.sending.outbox.longest_page <= 20);
    std::set<std::string> contents;
    for (std::size_t i = 0; i < world.buddy.stored.size(); ++i) {
      const std::string content = world.buddy.stored[i]["content"];
      contents.insert(content);
      // Four at once: none is more than some places from where it was begun.
      const auto seq = std::stoul(content.substr(5));
      CHECK(seq <= i + 9);
    }
    CHECK(contents.size() == 200);
  }

  TEST_CASE("while work fills the cores a page is sent and then a pause made") {
    BuddyWorld world(crowded());
    world.sending.outbox.add(5);
    world.sending.buddy->start();
    const auto status = accepted(world, 3);  // it looks for the first time after one
    CHECK(status.sent == 3);
    CHECK(status.outbox.waiting >= 2);
    CHECK(status.state == SyncStatus::State::Sending);
    CHECK(world.sending.buddy->figures().pauses == 1);
  }

  TEST_CASE("who waits for all to be sent waits for no pause") {
    BuddyWorld world(crowded());
    world.sending.outbox.add(5);
    world.sending.buddy->start();
    accepted(world, 3);
    const auto status = world.sending.sync();
    CHECK(status.accepted == 5);
    CHECK(world.sending.buddy->figures().pauses == 1);
  }

  TEST_CASE("one handshake is enough for all of them") {
    BuddyWorld world;
    world.sending.buddy->start();
    world.send(10);
    world.send(10);
    CHECK(world.buddy.asked("initialize") == 1);
    CHECK(world.buddy.asked("notifications/initialized") == 1);
    CHECK(world.buddy.asked("tools/list") == 1);
    for (const auto& request : world.buddy.requests) {
      CHECK(request.find("Accept: application/json, text/event-stream\r\n") != std::string::npos);
      if (request.find("tools/call") == std::string::npos) continue;
      CHECK(request.find("MCP-Protocol-Version: 2025-06-18\r\n") != std::string::npos);
      CHECK(request.find("Mcp-Session-Id: s1\r\n") != std::string::npos);
    }
  }

  TEST_CASE("a server of the revision without handshakes is spoken to without one") {
    BuddyWorld world;
    world.buddy.modern = true;
    world.buddy.events = false;
    world.sending.buddy->start();
    CHECK(world.send(2).spoken == "mcp 2026-07-28, store_reflection");
    CHECK(world.buddy.asked("initialize") == 0);
    const auto& call = world.buddy.requests.back();
    CHECK(call.find("Mcp-Method: tools/call\r\n") != std::string::npos);
    CHECK(call.find("Mcp-Name: store_reflection\r\n") != std::string::npos);
    CHECK(call.find("io.modelcontextprotocol/protocolVersion") != std::string::npos);
  }

  TEST_CASE("a shim that has no MCP is posted to") {
    BuddyWorld world;
    world.buddy.rest = true;
    world.sending.buddy->start();
    const auto status = world.send(2);
    CHECK(status.accepted == 2);
    CHECK(status.spoken == "rest, store_memory");
    CHECK(world.buddy.asked("POST tools/call") == 2);
    CHECK(world.buddy.stored[0].contains("metadata"));
  }

  TEST_CASE("with the protocol set to rest nothing else is tried") {
    auto options = Sending::quick();
    options.session.protocol = outbound::BuddySession::Protocol::Rest;
    BuddyWorld world(options);
    world.buddy.rest = true;
    world.sending.buddy->start();
    world.send(1);
    CHECK(world.buddy.requests.size() == 1);
  }

  TEST_CASE("a session that has expired is made anew, and what met it is sent again") {
    BuddyWorld world;
    world.sending.buddy->start();
    world.send(2);
    world.buddy.expire();
    const auto status = world.send(5);
    CHECK(status.accepted == 7);
    CHECK(status.outbox.waiting == 0);
    CHECK(world.buddy.asked("initialize") == 2);
    CHECK(status.breaker == domain::BreakerState::Closed);
    CHECK(world.buddy.count() == 7);
  }

  TEST_CASE("a token goes with every call") {
    auto options = Sending::quick();
    options.session.token = "t0k3n";
    BuddyWorld world(options);
    world.sending.buddy->start();
    world.send(1);
    for (const auto& request : world.buddy.requests) {
      CHECK(request.find("Authorization: Bearer t0k3n\r\n") != std::string::npos);
    }
  }

  TEST_CASE("a search asks it and brings hits") {
    BuddyWorld world;
    world.sending.buddy->start();
    const auto hits = world.sending.search("make");
    REQUIRE(hits.has_value());
    REQUIRE(hits->size() == 1);
    CHECK(hits->front().id == "r1");
    CHECK(hits->front().title == "make");
  }

  TEST_CASE("one without a search says so") {
    BuddyWorld world;
    world.buddy.tools = {"store_reflection"};
    world.sending.buddy->start();
    const auto hits = world.sending.search("make");
    REQUIRE_FALSE(hits.has_value());
    CHECK(hits.error().message.find("no tool to search") != std::string::npos);
  }

  TEST_CASE("stopped in the middle it writes what came of the calls that ended") {
    BuddyWorld world(patient());
    std::promise<void> second;
    std::atomic<int> calls{0};
    world.buddy.store = [&](Peer::Line& line, const Json&) {
      if (++calls == 1) return false;
      second.set_value();
      line.hang();
      return true;
    };
    auto options = patient();
    options.http.connections = 1;
    options.settle = Millis(60'000);
    {
      Sending sending(world.peer.url("/mcp"), options);
      sending.outbox.add(2);
      sending.buddy->start();
      second.get_future().wait();
      sending.buddy->stop();
      CHECK(sending.outbox.counts()->waiting == 1);
    }
  }

  TEST_CASE("one that was never started can be stopped") {
    BuddyWorld world;
    world.sending.buddy->stop();
    CHECK(world.peer.connections() == 0);
  }
}

TEST_SUITE("no memory server") {
  TEST_CASE("it is off, and says what to set") {
    asio::io_context io;
    outbound::NoMemoryServer none(io.get_executor());
    std::optional<SyncStatus> status;
    std::optional<base::Error> error;
    none.sync({}, [&](auto answer) { status = *answer; });
    none.search("x", 1, [&](auto answer) { error = answer.error(); });
    io.run();
    CHECK(status->state == SyncStatus::State::Off);
    CHECK(error->code == base::ErrorCode::Unavailable);
    CHECK(error->message.find("session_buddy.url") != std::string::npos);
  }
}
