// HTTP+SSE, the transport of 2024-11-05, over exchanges in memory.
#include <doctest/doctest.h>

#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

using Exchange = std::shared_ptr<support::MemoryExchange>;

// A client of the old transport: its stream, and what it posts.
struct OldClient {
  explicit OldClient(ToolServer& host, mcp::View view = {}) : host(host), view(std::move(view)) {
    stream = host.http("GET", "/sse", {{"Accept", "text/event-stream"}}, "", this->view);
    REQUIRE(stream->sent.size() == 1);
    CHECK(stream->sent[0].name == "endpoint");
    endpoint = stream->sent[0].data;
  }

  int post(const Json& body) { return post(body, view); }
  int post(const Json& body, const mcp::View& as) {
    const Exchange exchange =
        host.http("POST", endpoint, {{"Content-Type", "application/json"}}, body.dump(), as);
    host.settle();
    if (exchange->status == 202) CHECK(exchange->answer.empty());
    return exchange->status;
  }
  // A request, whose answer must be the one event that comes.
  Json ask(const char* method, Json params) {
    const std::size_t before = stream->sent.size();
    CHECK(post({{"jsonrpc", "2.0"}, {"id", 5}, {"method", method}, {"params", params}}) == 202);
    REQUIRE(stream->sent.size() == before + 1);
    CHECK(stream->sent.back().name == "message");
    CHECK(stream->sent.back().id.empty());
    return Json::parse(stream->sent.back().data);
  }
  Json initialize(const char* revision) {
    const Json answer =
        ask("initialize", {{"protocolVersion", revision}, {"capabilities", Json::object()}});
    CHECK(post({{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}) == 202);
    return answer["result"];
  }

  ToolServer& host;
  mcp::View view;
  Exchange stream;
  std::string endpoint;
};

const Json kEcho{{"name", "echo"}, {"arguments", {{"text", "hi"}}}};
const Json kBatch = Json::array({{{"jsonrpc", "2.0"}, {"id", 8}, {"method", "ping"}}});

}  // namespace

TEST_SUITE("HTTP+SSE") {
  TEST_CASE("the endpoint is told first, posts are accepted, answers come on the stream") {
    ToolServer host;
    OldClient client(host);
    CHECK(client.endpoint.starts_with("/messages?session="));
    CHECK(client.endpoint.size() == std::string("/messages?session=").size() + 32);
    CHECK(client.initialize("2024-11-05")["protocolVersion"] == "2024-11-05");
    CHECK(client.ask("tools/call", kEcho)["result"]["isError"] == false);
    CHECK(client.ask("tools/call", {{"name", "none"}})["error"]["code"] == -32602);
    CHECK_FALSE(client.stream->ended);
  }

  TEST_CASE("changes and broken messages are told on the stream") {
    ToolServer host(ToolServer::defaults(), true);
    OldClient client(host);
    client.initialize("2024-11-05");
    host.server->changed(mcp::Change::Tools);
    host.settle();
    CHECK(Json::parse(client.stream->events.back())["method"] ==
          "notifications/tools/list_changed");
    host.http("POST", client.endpoint, {{"Content-Type", "application/json"}}, "{oops");
    host.settle();
    CHECK(Json::parse(client.stream->events.back())["error"]["code"] == -32700);
  }

  TEST_CASE("batches are taken where the revision has them") {
    ToolServer host;
    OldClient client(host);
    client.initialize("2025-03-26");
    CHECK(client.post(kBatch) == 202);
    CHECK(Json::parse(client.stream->events.back())[0]["id"] == 8);
    OldClient older(host);
    older.initialize("2024-11-05");
    CHECK(older.post(kBatch) == 202);
    CHECK(Json::parse(older.stream->events.back())["error"]["code"] == -32600);
  }

  TEST_CASE("methods, types and sessions that are wrong are refused by status") {
    ToolServer host;
    OldClient client(host);
    const rpc::HeaderList json{{"Content-Type", "application/json"}};
    CHECK(host.http("POST", "/sse", json, "{}")->status == 405);
    CHECK(host.http("GET", "/sse", {{"Accept", "application/json"}}, "")->status == 406);
    CHECK(host.http("GET", client.endpoint, {}, "")->status == 405);
    CHECK(host.http("POST", client.endpoint, {{"Content-Type", "text/plain"}}, "{}")->status ==
          415);
    CHECK(host.http("POST", "/messages", json, "{}")->status == 400);
    CHECK(host.http("POST", "/messages?session=", json, "{}")->status == 400);
    CHECK(host.http("POST", "/messages?session=guess", json, "{}")->status == 404);
    CHECK(client.stream->sent.size() == 1);
  }

  TEST_CASE("a session works for its caller only") {
    ToolServer host;
    mcp::View bob;
    bob.caller = "bob";
    OldClient client(host, bob);
    mcp::View eve;
    eve.caller = "eve";
    CHECK(client.post({{"jsonrpc", "2.0"}, {"id", 1}, {"method", "ping"}}, eve) == 404);
    CHECK(client.initialize("2024-11-05")["serverInfo"]["version"] == "1.2.3");
  }

  TEST_CASE("a stream that ends is the end of its session") {
    ToolServer host;
    OldClient client(host);
    client.initialize("2024-11-05");
    client.stream->vanish();
    CHECK(client.post({{"jsonrpc", "2.0"}, {"id", 1}, {"method", "ping"}}) == 404);
  }

  TEST_CASE("a view holds for the whole stream") {
    ToolServer host;
    mcp::View view;
    view.read_only = true;
    OldClient client(host, view);
    client.initialize("2024-11-05");
    CHECK(client.ask("tools/call", {{"name", "erase"}})["error"]["code"] == -32602);
  }

  TEST_CASE("none begins when there are too many, or the server drains; its end ends them") {
    mcp::ServerOptions options = ToolServer::defaults();
    options.max_sessions = 1;
    ToolServer host(options);
    OldClient client(host);
    const auto open = [&host] {
      return host.http("GET", "/sse", {{"Accept", "text/event-stream"}}, "");
    };
    CHECK(open()->status == 503);
    client.stream->vanish();
    host.settle();
    OldClient next(host);
    host.server->drain();
    CHECK(open()->status == 503);
    host.stop();
    CHECK(next.stream->ended);
  }

  TEST_CASE("what the newest credential may not is refused, whatever the stream was opened with") {
    struct OneKind final : mcp::Permit {
      explicit OneKind(bool all) : all(all) {}
      bool in_force() const override { return true; }
      bool shows(const mcp::Tool&) const override { return all; }
      std::string_view list_class() const override { return all ? "all" : "none"; }
      base::Status admit(const mcp::Tool&, const Json&) override {
        if (all) return {};
        return base::fail(base::ErrorCode::Denied, "not any more");
      }
      bool all;
    };
    ToolServer host;
    mcp::View view;
    view.permit = std::make_shared<OneKind>(true);
    OldClient client(host, view);
    client.initialize("2024-11-05");
    CHECK(client.ask("tools/call", kEcho)["result"]["isError"] == false);
    client.view.permit = std::make_shared<OneKind>(false);
    CHECK(client.ask("tools/call", kEcho)["result"]["isError"] == true);
  }
}
