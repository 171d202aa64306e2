#include <doctest/doctest.h>

#include <deque>

#include "app/bridge.h"
#include "net/memory_connection.h"
#include "support/run_until.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::Result;
using ConnectionPtr = std::unique_ptr<rpc::Connection>;

constexpr const char* kInitialize = R"({"jsonrpc":"2.0","id":0,"method":"initialize","params":{}})";
constexpr const char* kPing = R"({"jsonrpc":"2.0","id":1,"method":"ping"})";
constexpr const char* kPong = R"({"jsonrpc":"2.0","id":1,"result":{}})";

base::awaitable<void> note_all(rpc::Connection* from, std::deque<std::string>* to, bool* ended) {
  while (true) {
    auto text = co_await from->read();
    if (!text || !*text) break;
    to->push_back(**text);
  }
  *ended = true;
}

base::awaitable<void> put(rpc::Connection* to, std::string line) {
  static_cast<void>(co_await to->write(std::move(line)));
}

// A client, and servers by hand: each attach takes the next one that was made ready.
struct World {
  explicit World(BridgeOptions options = quick()) : group(io.get_executor(), "test") {
    ConnectionPtr theirs;
    std::tie(client, theirs) = net::memory_pair(io.get_executor());
    bridges_end = std::move(theirs);
    group.spawn(note_all(client.get(), &heard, &client_ended));
    bridge = std::make_unique<Bridge>(
        io.get_executor(), *bridges_end, [this] { return attach(this); }, options);
  }
  ~World() {
    client->close();
    for (auto& server : servers) server->connection->close();
    until([this] { return outcome.has_value() || !running; });
    group.cancel();
    until([this] { return group.size() == 0; });
  }

  static BridgeOptions quick() {
    BridgeOptions options;
    options.first_backoff = base::Millis(0);
    options.drain = base::Millis(60000);
    return options;
  }

  struct Server {
    ConnectionPtr connection;
    std::deque<std::string> heard;
    bool ended = false;
  };

  static base::awaitable<Result<ConnectionPtr>> attach(World* self) {
    ++self->attached;
    if (self->refuse) co_return base::fail(ErrorCode::Unavailable, "nothing to be had");
    auto [ours, theirs] = net::memory_pair(self->io.get_executor());
    auto server = std::make_unique<Server>();
    server->connection = std::move(ours);
    self->group.spawn(note_all(server->connection.get(), &server->heard, &server->ended));
    self->servers.push_back(std::move(server));
    co_return std::move(theirs);
  }

  void start() {
    running = true;
    asio::co_spawn(io, bridge->run(), [this](std::exception_ptr, base::Status status) {
      outcome = std::move(status);
    });
    turn();
  }

  void turn() {
    io.restart();
    io.poll();
  }
  template <class Condition>
  void until(Condition condition) {
    support::run_until(io, condition);
  }

  void say(const std::string& line) {
    group.spawn(put(client.get(), line));
    turn();
  }
  void answer(const std::string& line) {
    group.spawn(put(servers.back()->connection.get(), line));
    turn();
  }
  void lose_server() {
    servers.back()->connection->close();
    turn();
  }

  asio::io_context io;
  base::TaskGroup group;
  ConnectionPtr client, bridges_end;
  std::deque<std::string> heard;
  bool client_ended = false, refuse = false, running = false;
  std::vector<std::unique_ptr<Server>> servers;
  int attached = 0;
  std::optional<base::Status> outcome;
  std::unique_ptr<Bridge> bridge;
};

}  // namespace

TEST_SUITE("app::Bridge") {
  TEST_CASE("messages pass both ways as they are") {
    World world;
    world.start();
    world.say(kPing);
    REQUIRE(world.servers.size() == 1);
    CHECK(world.servers[0]->heard == std::deque<std::string>{kPing});
    world.answer(kPong);
    CHECK(world.heard == std::deque<std::string>{kPong});
  }

  TEST_CASE("the end of input ends it, after what is in flight was answered") {
    World world;
    world.start();
    world.say(kPing);
    world.client->close();
    world.turn();
    CHECK_FALSE(world.outcome.has_value());
    world.answer(kPong);
    REQUIRE(world.outcome.has_value());
    CHECK(world.outcome->has_value());
    CHECK(world.servers[0]->ended);
  }

  TEST_CASE("what is not answered in time at the end of input is not waited for") {
    BridgeOptions options = World::quick();
    options.drain = base::Millis(1);
    World world(options);
    world.start();
    world.say(kPing);
    world.client->close();
    world.until([&] { return world.outcome.has_value() && world.servers[0]->ended; });
  }

  TEST_CASE("a lost server is replaced, in flight is an error, and the session goes on") {
    World world;
    world.start();
    world.say(kInitialize);
    world.answer(R"({"jsonrpc":"2.0","id":0,"result":{}})");
    world.say(kPing);
    world.lose_server();
    REQUIRE(world.servers.size() == 2);
    CHECK(world.heard.size() == 2);
    CHECK(world.heard[1].find(R"("id":1,"error":{"code":-32603)") != std::string::npos);
    CHECK(world.heard[1].find("task_list") != std::string::npos);
    REQUIRE(world.servers[1]->heard.size() == 1);
    CHECK(world.servers[1]->heard[0].find("mahavishnu/replay") != std::string::npos);
    world.answer(R"({"jsonrpc":"2.0","id":"mahavishnu/replay","result":{}})");
    world.say(kPing);
    world.answer(kPong);
    CHECK(world.heard.size() == 3);
    CHECK(world.heard[2] == kPong);
  }

  TEST_CASE("a server that ends in good order is replaced when the client asks for something") {
    World world;
    world.start();
    world.answer(R"({"jsonrpc":"2.0","method":"mahavishnu/ending"})");
    world.lose_server();
    CHECK(world.servers.size() == 1);
    CHECK(world.heard.empty());
    world.say(kPing);
    REQUIRE(world.servers.size() == 2);
    CHECK(world.servers[1]->heard == std::deque<std::string>{kPing});
  }

  TEST_CASE("a server that is lost again and again is an error, and so is its last request") {
    BridgeOptions options = World::quick();
    options.max_restarts = 2;
    World world(options);
    world.start();
    for (std::size_t i = 1; i <= 3; ++i) {
      world.until([&] { return world.servers.size() == i; });
      world.say(kPing);
      world.lose_server();
    }
    world.until([&] { return world.outcome.has_value(); });
    REQUIRE_FALSE(world.outcome->has_value());
    CHECK(world.outcome->error().message.find("lost 3 times") != std::string::npos);
    CHECK(world.servers.size() == 3);
    CHECK(world.heard.size() == 3);
  }

  TEST_CASE("no server at all is an error") {
    World world;
    world.refuse = true;
    world.start();
    REQUIRE(world.outcome.has_value());
    CHECK(world.outcome->error().message == "nothing to be had");
  }

  TEST_CASE("what was asked when no other server is to be had is answered with the reason") {
    World world;
    world.start();
    world.answer(R"({"jsonrpc":"2.0","method":"mahavishnu/ending"})");
    world.lose_server();
    world.refuse = true;
    world.say(kPing);
    REQUIRE(world.outcome.has_value());
    CHECK_FALSE(world.outcome->has_value());
    REQUIRE(world.heard.size() == 1);
    CHECK(world.heard[0].find("nothing to be had") != std::string::npos);
  }
}

}  // namespace mahavishnu::app
