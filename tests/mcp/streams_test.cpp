// Who is told of changes: subscriptions/listen in 2026-07-28; a session's stream, or its
// connection, in the older revisions.
#include <doctest/doctest.h>

#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

constexpr const char* kId = "io.modelcontextprotocol/subscriptionId";
using mcp::Change;

struct Host : ToolServer {
  explicit Host(mcp::ServerOptions options = defaults()) : ToolServer(std::move(options), true) {}
  void changed(Change what) {
    server->changed(what);
    settle();
  }
  void updated(const char* uri) {
    server->updated(uri);
    settle();
  }
};

Json listen(Json wanted) { return modern({{"notifications", std::move(wanted)}}); }

using Exchange = std::shared_ptr<support::MemoryExchange>;

rpc::HeaderList headers(rpc::HeaderList more) {
  rpc::HeaderList out{{"Content-Type", "application/json"},
                      {"Accept", "application/json, text/event-stream"}};
  for (auto& one : more) out.push_back(std::move(one));
  return out;
}

Exchange listen_over_http(Host& host, Json wanted) {
  const Json body{{"jsonrpc", "2.0"},
                  {"id", 7},
                  {"method", "subscriptions/listen"},
                  {"params", listen(std::move(wanted))}};
  return host.http(
      "POST", "/mcp",
      headers({{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "subscriptions/listen"}}),
      body.dump());
}

std::string open_session(Host& host) {
  const Json body{
      {"jsonrpc", "2.0"},
      {"id", 1},
      {"method", "initialize"},
      {"params", {{"protocolVersion", "2025-11-25"}, {"capabilities", Json::object()}}}};
  return host.http("POST", "/mcp", headers({}), body.dump())->answer_header("Mcp-Session-Id");
}

Exchange get(Host& host, const std::string& session) {
  return host.http("GET", "/mcp", {{"Accept", "text/event-stream"}, {"Mcp-Session-Id", session}},
                   "");
}

// Lets everything in until it is revoked.
class Revocable final : public mcp::Permit {
 public:
  bool in_force() const override { return good; }
  bool shows(const mcp::Tool&) const override { return true; }
  std::string_view list_class() const override { return "all"; }
  base::Status admit(const mcp::Tool&, const Json&) override { return {}; }
  bool good = true;
};

}  // namespace

TEST_SUITE("streams of a credential") {
  TEST_CASE("once it is revoked they tell nothing more, in either era") {
    Host host;
    const auto permit = std::make_shared<Revocable>();
    mcp::View view;
    view.permit = permit;
    Client modern_client(host, view);
    modern_client.request("s", "subscriptions/listen", listen({{"toolsListChanged", true}}));
    modern_client.next();
    Client with_session(host, view);
    with_session.initialize("2025-11-25");
    with_session.notify("notifications/initialized");
    host.changed(Change::Tools);
    CHECK(modern_client.next()["method"] == "notifications/tools/list_changed");
    CHECK(with_session.next()["method"] == "notifications/tools/list_changed");
    permit->good = false;
    host.changed(Change::Tools);
    CHECK(modern_client.quiet());
    CHECK(with_session.quiet());
  }
}

TEST_SUITE("streams, modern") {
  TEST_CASE("what is granted is acknowledged first, then told with its id") {
    Host host;
    Client client(host);
    client.request("s", "subscriptions/listen",
                   listen({{"toolsListChanged", true},
                           {"promptsListChanged", false},
                           {"resourceSubscriptions", {"test://text"}}}));
    const Json first = client.next();
    CHECK(first["method"] == "notifications/subscriptions/acknowledged");
    CHECK(first["params"]["_meta"][kId] == "s");
    CHECK(first["params"]["notifications"] ==
          Json{{"toolsListChanged", true}, {"resourceSubscriptions", {"test://text"}}});
    host.changed(Change::Prompts);
    host.updated("test://bytes");
    CHECK(client.quiet());
    host.changed(Change::Tools);
    const Json told = client.next();
    CHECK(told["method"] == "notifications/tools/list_changed");
    CHECK(told["params"]["_meta"][kId] == "s");
    host.updated("test://text");
    const Json updated = client.next();
    CHECK(updated["method"] == "notifications/resources/updated");
    CHECK(updated["params"] == Json{{"uri", "test://text"}, {"_meta", {{kId, "s"}}}});
  }

  TEST_CASE("many changes before they can be told are one") {
    Host host;
    Client client(host);
    client.request(1, "subscriptions/listen",
                   listen({{"toolsListChanged", true}, {"resourceSubscriptions", {"a:b"}}}));
    client.next();
    for (int i = 0; i < 1000; ++i) {
      host.server->changed(Change::Tools);
      host.server->updated("a:b");
    }
    host.settle();
    CHECK(client.pending() == 2);
    client.next();
    client.next();
  }

  TEST_CASE("ends by being cancelled, without a reply, and by the server's end with one") {
    Host host;
    Client client(host);
    client.request(1, "subscriptions/listen", listen({{"toolsListChanged", true}}));
    client.request(2, "subscriptions/listen", listen({{"toolsListChanged", true}}));
    client.next();
    client.next();
    CHECK(client.pending() == 0);
    client.notify("notifications/cancelled", {{"requestId", 1}});
    host.changed(Change::Tools);
    CHECK(client.next()["params"]["_meta"][kId] == 2);
    CHECK(client.quiet());
    host.stop();
    const Json end = client.next();
    CHECK(end["id"] == 2);
    CHECK(end["result"] == Json{{"resultType", "complete"}, {"_meta", {{kId, 2}}}});
  }

  TEST_CASE("does not hold up the end of a connection") {
    Host host;
    Client client(host);
    client.request(1, "subscriptions/listen", listen({{"toolsListChanged", true}}));
    client.next();
    client.send(Client::kEnd);
    CHECK(client.served());
  }

  TEST_CASE("wrong wishes are -32602, and an id is used once") {
    Host host;
    Client client(host);
    for (const Json& params :
         {modern(), listen(5), listen({{"toolsListChanged", 1}}),
          listen({{"resourceSubscriptions", "a:b"}}), listen({{"resourceSubscriptions", {5}}}),
          listen({{"resourceSubscriptions", Json(1001, "a:b")}})}) {
      CHECK(client.ask(1, "subscriptions/listen", params)["error"]["code"] == -32602);
    }
    client.request(2, "subscriptions/listen", listen(Json::object()));
    client.next();
    CHECK(client.ask(2, "tools/list", modern())["error"]["code"] == -32600);
  }

  TEST_CASE("their number is bounded") {
    mcp::ServerOptions options = ToolServer::defaults();
    options.max_subscriptions = 1;
    Host host(options);
    Client client(host);
    client.request(1, "subscriptions/listen", listen(Json::object()));
    client.next();
    CHECK(client.ask(2, "subscriptions/listen", listen(Json::object()))["error"]["code"] == -32603);
    client.notify("notifications/cancelled", {{"requestId", 1}});
    client.request(3, "subscriptions/listen", listen(Json::object()));
    CHECK(client.next()["params"]["_meta"][kId] == 3);
  }

  TEST_CASE("none begins once the server drains, and as many as calls on one connection") {
    Host host;
    Client client(host);
    for (int id = 1; id <= 4; ++id) {
      client.request(id, "subscriptions/listen", listen(Json::object()));
      client.next();
    }
    CHECK(client.ask(5, "subscriptions/listen", listen(Json::object()))["error"]["code"] == -32603);
    host.server->drain();
    CHECK(listen_over_http(host, Json::object())->json()["error"]["code"] == -32603);
    const std::string session = open_session(host);
    CHECK(get(host, session)->status == 405);
  }

  TEST_CASE("over HTTP it is an event stream until the peer goes") {
    Host host;
    const Exchange exchange = listen_over_http(host, {{"promptsListChanged", true}});
    CHECK(exchange->streaming);
    CHECK(exchange->events.size() == 1);
    host.changed(Change::Prompts);
    REQUIRE(exchange->events.size() == 2);
    CHECK(Json::parse(exchange->events[1])["method"] == "notifications/prompts/list_changed");
    exchange->vanish();
    host.changed(Change::Prompts);
    CHECK(exchange->events.size() == 2);
  }

  TEST_CASE("over HTTP the server's end is a result on it") {
    Host host;
    const Exchange exchange = listen_over_http(host, Json::object());
    host.stop();
    CHECK(exchange->ended);
    CHECK(Json::parse(exchange->events.back())["result"]["resultType"] == "complete");
  }
}

TEST_SUITE("streams, legacy") {
  TEST_CASE("a connection is told of changes once it is initialized") {
    Host host;
    Client client(host);
    host.changed(Change::Tools);
    client.initialize("2025-06-18");
    CHECK(client.quiet());
    host.changed(Change::Resources);
    CHECK(client.next() ==
          Json{{"jsonrpc", "2.0"}, {"method", "notifications/resources/list_changed"}});
    host.updated("test://text");
    CHECK(client.quiet());
  }

  TEST_CASE("resources are watched from subscribe to unsubscribe") {
    Host host;
    Client client(host);
    client.initialize("2025-11-25");
    const Json params{{"uri", "test://text"}};
    CHECK(client.ask(1, "resources/subscribe", params)["result"] == Json::object());
    host.updated("test://text");
    CHECK(client.next()["params"] == params);
    CHECK(client.ask(2, "resources/unsubscribe", params)["result"] == Json::object());
    host.updated("test://text");
    CHECK(client.quiet());
    CHECK(client.ask(3, "resources/subscribe", {{"uri", "test://none"}})["error"]["code"] ==
          -32002);
    CHECK(client.ask(4, "resources/subscribe", Json::object())["error"]["code"] == -32602);
  }

  TEST_CASE("a session has a stream by GET, and a new one takes its place") {
    Host host;
    const std::string session = open_session(host);
    const Exchange first = get(host, session);
    CHECK(first->streaming);
    const Exchange second = get(host, session);
    CHECK(first->ended);
    host.changed(Change::Tools);
    CHECK(first->events.empty());
    REQUIRE(second->events.size() == 1);
    CHECK(Json::parse(second->events[0])["method"] == "notifications/tools/list_changed");
  }

  TEST_CASE("the stream ends with its session") {
    Host host;
    const std::string session = open_session(host);
    const Exchange stream = get(host, session);
    host.http("DELETE", "/mcp", {{"Mcp-Session-Id", session}}, "");
    host.settle();
    CHECK(stream->ended);
    CHECK(get(host, session)->status == 404);
    CHECK(host.http("GET", "/mcp", {{"Accept", "text/event-stream"}}, "")->status == 400);
    CHECK(host.http("GET", "/mcp", {{"Accept", "application/json"}}, "")->status == 406);
  }

  TEST_CASE("questions ride the POST's stream, and a POST answers them") {
    Host host;
    const Json hello{
        {"jsonrpc", "2.0"},
        {"id", 1},
        {"method", "initialize"},
        {"params",
         {{"protocolVersion", "2025-11-25"}, {"capabilities", {{"elicitation", Json::object()}}}}}};
    const std::string session =
        host.http("POST", "/mcp", headers({}), hello.dump())->answer_header("Mcp-Session-Id");
    const Json call{{"jsonrpc", "2.0"},
                    {"id", 2},
                    {"method", "tools/call"},
                    {"params", {{"name", "ask"}, {"arguments", {{"keys", {"a"}}}}}}};
    const Exchange stream =
        host.http("POST", "/mcp", headers({{"Mcp-Session-Id", session}}), call.dump());
    REQUIRE(stream->events.size() == 1);
    const Json answer{{"jsonrpc", "2.0"},
                      {"id", Json::parse(stream->events[0])["id"]},
                      {"result", {{"action", "decline"}}}};
    const std::string stranger = open_session(host);
    CHECK(
        host.http("POST", "/mcp", headers({{"Mcp-Session-Id", stranger}}), answer.dump())->status ==
        202);
    CHECK_FALSE(stream->ended);
    CHECK(
        host.http("POST", "/mcp", headers({{"Mcp-Session-Id", session}}), answer.dump())->status ==
        202);
    CHECK(stream->ended);
    CHECK(Json::parse(stream->events.back())["result"]["content"].size() == 1);
  }
}
