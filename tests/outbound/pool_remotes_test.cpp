// The servers behind pools, asked how they are: of both eras, and on bad days.
#include "outbound/pool_remotes.h"

#include <doctest/doctest.h>

#include <mutex>

#include "rpc/codec.h"
#include "support/peer.h"
#include "support/run_until.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using base::Result;
using domain::RemoteReading;
using outbound::BreakerBoard;
using outbound::PoolRemotes;
using rpc::Json;
using support::ClosedPort;
using support::Peer;

namespace {

// An MCP server that remembers what it was asked.
class Server {
 public:
  explicit Server(bool modern)
      : modern_(modern), peer_([this](Peer::Line& line) {
          for (std::string request; !(request = line.request()).empty();) serve(line, request);
        }) {}

  std::string url() const { return peer_.url("/mcp"); }
  int connections() const { return peer_.connections(); }
  std::vector<std::string> asked() {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::string last_request() {
    const std::lock_guard lock(mutex_);
    return last_;
  }
  void expire() {
    const std::lock_guard lock(mutex_);
    session_ += "x";
  }

 private:
  void serve(Peer::Line& line, const std::string& request) {
    const Json message = Json::parse(Peer::Line::body(request), nullptr, false);
    const std::string method = message.is_object() ? message.value("method", "") : "";
    std::string session;
    {
      const std::lock_guard lock(mutex_);
      asked_.push_back(method);
      last_ = request;
      session = session_;
    }
    const bool begins = method == "initialize" || method == "server/discover";
    if (!modern_ && !begins && request.find("Mcp-Session-Id: " + session) == std::string::npos) {
      line.answer("gone", "404 Not Found");
    } else if (method.starts_with("notifications/")) {
      line.answer("", "202 Accepted");
    } else if (method == "server/discover" && !modern_) {
      line.answer("no", "400 Bad Request");
    } else {
      const Json answer{{"jsonrpc", "2.0"}, {"id", message["id"]}, {"result", result_of(method)}};
      line.answer(answer.dump(), "200 OK", modern_ ? "" : "Mcp-Session-Id: " + session + "\r\n");
    }
  }
  static Json result_of(const std::string& method) {
    Json result{{"serverInfo", {{"name", "far"}, {"version", "2.1"}}}};
    if (method == "server/discover") result["supportedVersions"] = {"2026-07-28"};
    if (method == "initialize") result["protocolVersion"] = "2025-06-18";
    if (method == "ping") result = Json::object();
    return result;
  }

  const bool modern_;
  std::mutex mutex_;
  std::vector<std::string> asked_;
  std::string last_, session_ = "s1";
  Peer peer_;  // last: its threads use the above
};

struct Asker {
  ~Asker() {
    bool stopped = false;
    asio::co_spawn(io, remotes.stop(), [&stopped](const std::exception_ptr&) { stopped = true; });
    support::run_until(io, [&stopped] { return stopped; });
  }
  static domain::PoolSpec pool(const std::string& url, const std::string& name = "far") {
    domain::PoolSpec spec;
    spec.name = name;
    spec.type = spec.worker_type = "mcp";
    spec.settings.url = url;
    return spec;
  }
  Result<RemoteReading> ask(const domain::PoolSpec& spec, Millis limit = Millis(20'000)) {
    std::optional<Result<RemoteReading>> told;
    remotes.ask(spec, limit, [&](auto answer) { told.emplace(std::move(answer)); });
    CHECK_FALSE(told.has_value());
    support::run_until(io, [&told] { return told.has_value(); });
    return std::move(*told);
  }
  Result<RemoteReading> ask(const std::string& url, Millis limit = Millis(20'000)) {
    return ask(pool(url), limit);
  }

  static PoolRemotes::Options options() {
    PoolRemotes::Options options;
    options.read_secret = [](const std::string& file) -> Result<std::string> {
      if (file == "/token") return std::string("secret");
      return base::fail(ErrorCode::NotFound, "there is no " + file);
    };
    return options;
  }

  asio::io_context io{1};
  BreakerBoard breakers;
  PoolRemotes remotes{io.get_executor(), breakers, options()};
};

using Words = std::vector<std::string>;

}  // namespace

TEST_SUITE_BEGIN("pool remotes");

TEST_CASE("a server without a handshake is asked once, each time") {
  Server server(true);
  Asker asker;
  const auto first = asker.ask(server.url());
  REQUIRE(first);
  CHECK(first->server == "far 2.1");
  CHECK(first->protocol == "2026-07-28");
  REQUIRE(asker.ask(server.url()));
  CHECK(server.asked() == Words{"server/discover", "server/discover"});
  CHECK(server.connections() == 1);
}

TEST_CASE("one with a handshake keeps its session, and is asked for a ping from then on") {
  Server server(false);
  Asker asker;
  const auto first = asker.ask(server.url());
  REQUIRE(first);
  CHECK(first->server == "far 2.1");
  CHECK(first->protocol == "2025-06-18");
  REQUIRE(asker.ask(server.url()));
  CHECK(server.asked() ==
        Words{"server/discover", "initialize", "notifications/initialized", "ping"});
}

TEST_CASE("a session that has expired is made anew") {
  Server server(false);
  Asker asker;
  REQUIRE(asker.ask(server.url()));
  server.expire();
  REQUIRE(asker.ask(server.url()));
  const auto asked = server.asked();
  REQUIRE(asked.size() == 7);
  CHECK(asked[3] == "ping");
  CHECK(asked[5] == "initialize");
}

TEST_CASE("pools behind one server share its connections") {
  Server server(true);
  Asker asker;
  for (const char* name : {"a", "b", "c"}) {
    CHECK(asker.ask(Asker::pool(server.url(), name)));
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("its token is read from its file and sent, and its headers with it") {
  Server server(true);
  Asker asker;
  auto spec = Asker::pool(server.url());
  spec.settings.token_file = "/token";
  spec.settings.headers["X-Team"] = "night";
  REQUIRE(asker.ask(spec));
  CHECK(server.last_request().find("\r\nAuthorization: Bearer secret\r\n") != std::string::npos);
  CHECK(server.last_request().find("\r\nX-Team: night\r\n") != std::string::npos);
}

TEST_CASE("without its token it is not asked, and its breaker does not mind") {
  Server server(true);
  Asker asker;
  auto spec = Asker::pool(server.url());
  spec.settings.token_file = "/gone";
  const auto told = asker.ask(spec);
  REQUIRE_FALSE(told);
  CHECK(told.error().message.find("there is no /gone") != std::string::npos);
  CHECK(server.asked().empty());
  CHECK(asker.breakers.list().at(0).counts.failed == 0);
}

TEST_CASE("one that nobody listens for is Unavailable, and left alone by its breaker") {
  const ClosedPort nobody;
  Asker asker;
  for (int i = 0; i < 5; ++i) {
    CHECK(asker.ask(nobody.url()).error().code == ErrorCode::Unavailable);
  }
  const auto told = asker.ask(nobody.url());
  REQUIRE_FALSE(told);
  CHECK(told.error().message.find("breaker is open") != std::string::npos);
}

TEST_CASE("one that hangs is a Deadline") {
  Peer hangs([](Peer::Line& line) {
    line.request();
    line.hang();
  });
  Asker asker;
  const auto told = asker.ask(hangs.url(), Millis(100));
  REQUIRE_FALSE(told);
  CHECK_MESSAGE(told.error().code == ErrorCode::Deadline, told.error().message);
  CHECK(told.error().message.starts_with(hangs.url()));
}

TEST_CASE("one that speaks no MCP says so, with its url") {
  Peer web([](Peer::Line& line) {
    while (!line.request().empty()) line.answer("<html>", "200 OK");
  });
  Asker asker;
  const auto told = asker.ask(web.url());
  REQUIRE_FALSE(told);
  CHECK(told.error().code == ErrorCode::Unavailable);
  CHECK(told.error().message.starts_with(web.url()));
}

TEST_CASE("a pool with other settings is another conversation") {
  Server one(true), other(true);
  Asker asker;
  REQUIRE(asker.ask(one.url()));
  REQUIRE(asker.ask(other.url()));
  CHECK(other.asked() == Words{"server/discover"});
}

TEST_SUITE_END();
