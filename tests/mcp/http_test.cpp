// The MCP endpoint and POST /tools/call over exchanges in memory.
#include <doctest/doctest.h>

#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

using Headers = rpc::HeaderList;
using Exchange = std::shared_ptr<support::MemoryExchange>;

Headers base_headers() {
  return {{"Content-Type", "application/json"}, {"Accept", "application/json, text/event-stream"}};
}

Headers with(Headers headers, Headers more) {
  for (auto& header : more) {
    std::erase_if(headers, [&](const auto& known) { return known.first == header.first; });
    if (!header.second.empty()) headers.push_back(std::move(header));
  }
  return headers;
}

Json request(const char* method, Json params, Json id = 1) {
  return {
      {"jsonrpc", "2.0"}, {"id", std::move(id)}, {"method", method}, {"params", std::move(params)}};
}

Exchange post(ToolServer& host, const Json& body, Headers headers) {
  return host.http("POST", "/mcp", std::move(headers), body.dump());
}

// A modern request with the headers it must have; `more` replaces some (empty: leaves one out).
Exchange modern_post(ToolServer& host, const char* method, Json params = Json::object(),
                     Headers more = {}) {
  Headers headers =
      with(base_headers(), {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", method}});
  if (params.contains("name") && params["name"].is_string()) {
    headers.emplace_back("Mcp-Name", params["name"].get<std::string>());
  }
  return post(host, request(method, modern(std::move(params))),
              with(std::move(headers), std::move(more)));
}

int code_of(const Exchange& exchange) { return exchange->json()["error"]["code"].get<int>(); }

// A legacy session; its id.
std::string open_session(ToolServer& host, const char* version = "2025-11-25") {
  const auto exchange = post(
      host, request("initialize", {{"protocolVersion", version}, {"capabilities", Json::object()}}),
      base_headers());
  CHECK(exchange->status == 200);
  CHECK(exchange->json()["result"]["protocolVersion"] == version);
  return exchange->answer_header("Mcp-Session-Id");
}

Headers in_session(const std::string& id, Headers more = {}) {
  return with(with(base_headers(), {{"mcp-session-id", id}}), std::move(more));
}

}  // namespace

TEST_SUITE("http, modern") {
  TEST_CASE("a request is answered with JSON, without a session") {
    ToolServer host;
    auto exchange = modern_post(host, "server/discover");
    CHECK(exchange->status == 200);
    CHECK(exchange->content_type == "application/json");
    CHECK(exchange->json()["result"]["supportedVersions"] == Json{"2026-07-28"});
    CHECK(exchange->answer_header("Mcp-Session-Id").empty());
    exchange = modern_post(host, "tools/list");
    CHECK(exchange->json()["result"]["resultType"] == "complete");
    exchange = modern_post(host, "tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}},
                           {{"Mcp-Session-Id", "ignored"}});
    CHECK(exchange->json()["id"] == 1);
    CHECK(exchange->json()["result"]["structuredContent"] == Json{{"text", "x"}});
  }

  TEST_CASE("the version header must be there and agree with the body") {
    ToolServer host;
    auto exchange = modern_post(host, "tools/list", Json::object(), {{"MCP-Protocol-Version", ""}});
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32020);
    CHECK(exchange->json()["id"] == 1);
    exchange =
        modern_post(host, "tools/list", Json::object(), {{"MCP-Protocol-Version", "2025-11-25"}});
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32020);
    exchange = modern_post(host, "tools/list", {}, {{"MCP-Protocol-Version", "v999.0.0"}});
    CHECK(code_of(exchange) == -32020);
  }

  TEST_CASE("a modern header without metadata is -32602") {
    ToolServer host;
    const Headers headers = with(base_headers(), {{"MCP-Protocol-Version", "2026-07-28"}});
    for (const char* method : {"tools/list", "initialize"}) {
      const auto exchange = post(host, request(method, Json::object()), headers);
      CHECK(exchange->status == 400);
      CHECK(code_of(exchange) == -32602);
      CHECK(exchange->json()["id"] == 1);
    }
    CHECK(code_of(post(host, request("server/discover", Json::object()), base_headers())) ==
          -32602);
  }

  TEST_CASE("metadata is required and an unsupported version is told what is supported") {
    ToolServer host;
    Json params = modern();
    params["_meta"].erase("io.modelcontextprotocol/clientCapabilities");
    Headers headers = with(base_headers(),
                           {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/list"}});
    auto exchange = post(host, request("tools/list", params), headers);
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32602);
    headers = with(headers, {{"MCP-Protocol-Version", "v999.0.0"}});
    exchange = post(host, request("tools/list", modern(Json::object(), "v999.0.0")), headers);
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32022);
    CHECK(exchange->json()["error"]["data"]["requested"] == "v999.0.0");
  }

  TEST_CASE("Mcp-Method and Mcp-Name must agree with the body") {
    ToolServer host;
    const Json call{{"name", "echo"}, {"arguments", {{"text", "x"}}}};
    const auto refused = [&](const char* method, const Json& params, Headers more) {
      const auto exchange = modern_post(host, method, params, std::move(more));
      CHECK(exchange->status == 400);
      CHECK(code_of(exchange) == -32020);
    };
    refused("tools/list", Json::object(), {{"Mcp-Method", "prompts/list"}});
    refused("tools/list", Json::object(), {{"Mcp-Method", "TOOLS/LIST"}});
    refused("tools/list", Json::object(), {{"Mcp-Method", ""}});
    refused("tools/call", call, {{"Mcp-Method", "tasks/get"}});
    refused("tools/call", call, {{"Mcp-Name", "wrong"}});
    refused("tools/call", call, {{"Mcp-Name", ""}});
    refused("tools/call", call, {{"Mcp-Name", "=?base64?ZWNobw?="}});
    CHECK(modern_post(host, "tools/call", call, {{"Mcp-Name", "  echo  "}})->status == 200);
    CHECK(modern_post(host, "tools/call", call, {{"Mcp-Name", "=?base64?ZWNobw==?="}})->status ==
          200);
  }

  TEST_CASE("an unknown method is 404, before its name is asked for") {
    ToolServer host;
    for (const char* method : {"initialize", "ping", "logging/setLevel", "tasks/result", "nope"}) {
      const auto exchange = modern_post(host, method);
      CHECK(exchange->status == 404);
      CHECK(code_of(exchange) == -32601);
      CHECK(exchange->json()["id"] == 1);
    }
  }

  TEST_CASE("other errors are in-band") {
    ToolServer host;
    auto exchange = modern_post(host, "tools/call", {{"name", "ehco"}});
    CHECK(exchange->status == 200);
    CHECK(code_of(exchange) == -32602);
    exchange = modern_post(host, "tools/call", {{"name", 5}});
    CHECK(exchange->status == 200);
    CHECK(code_of(exchange) == -32602);
    exchange = modern_post(host, "tools/call", {{"name", "crash"}});
    CHECK(exchange->status == 200);
    CHECK(code_of(exchange) == -32603);
    exchange = modern_post(host, "tools/call", {{"name", "echo"}});
    CHECK(exchange->status == 200);
    CHECK(exchange->json()["result"]["isError"] == true);
  }

  TEST_CASE("an id that is null is refused") {
    ToolServer host;
    const Headers headers = with(
        base_headers(), {{"MCP-Protocol-Version", "2026-07-28"}, {"Mcp-Method", "tools/list"}});
    const auto exchange = post(host, request("tools/list", modern(), nullptr), headers);
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32600);
  }

  TEST_CASE("notifications are accepted, responses and batches are not") {
    ToolServer host;
    const Headers headers = with(base_headers(), {{"MCP-Protocol-Version", "2026-07-28"}});
    Json note{
        {"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", 1}}}};
    auto exchange = post(host, note, headers);
    CHECK(exchange->status == 202);
    CHECK(exchange->answer.empty());
    note["params"] = modern();
    CHECK(post(host, note, base_headers())->status == 202);
    CHECK(
        post(host, {{"jsonrpc", "2.0"}, {"id", 1}, {"result", Json::object()}}, headers)->status ==
        400);
    CHECK(post(host, Json::array({request("tools/list", modern())}), headers)->status == 400);
  }

  TEST_CASE("a peer that goes cancels its call") {
    ToolServer host;
    const auto exchange = modern_post(host, "tools/call", {{"name", "wait"}});
    CHECK(exchange->status == 0);
    CHECK(host.gate.waiting == 1);
    exchange->vanish();
    host.settle();
    CHECK(host.gate.cancelled == 1);
    CHECK(host.calls.size() == 1);
  }

  TEST_CASE("requests with equal ids do not meet") {
    ToolServer host;
    const auto first = modern_post(host, "tools/call", {{"name", "wait"}});
    const auto second = modern_post(host, "tools/call", {{"name", "wait"}});
    first->vanish();
    host.settle();
    host.gate.open();
    host.settle();
    CHECK(first->status == 0);
    CHECK(second->json()["result"]["isError"] == false);
  }

  TEST_CASE("progress turns the answer into a stream that ends with the reply") {
    ToolServer host;
    Json params{{"name", "report"}, {"arguments", {{"values", {1, 2}}}}};
    params["_meta"]["progressToken"] = "t";
    auto exchange = modern_post(host, "tools/call", params);
    CHECK(exchange->content_type == "text/event-stream");
    CHECK(exchange->answer_header("X-Accel-Buffering") == "no");
    CHECK(exchange->ended);
    REQUIRE(exchange->events.size() == 3);
    CHECK(Json::parse(exchange->events[0])["params"]["progress"] == 1.0);
    CHECK(Json::parse(exchange->events[1])["params"]["progress"] == 2.0);
    CHECK(Json::parse(exchange->events[2])["id"] == 1);
    params["arguments"]["values"] = Json::array();  // nothing to tell
    exchange = modern_post(host, "tools/call", params);
    CHECK(exchange->content_type == "application/json");
  }
}

TEST_SUITE("http, legacy") {
  TEST_CASE("initialize makes a session that later requests name") {
    ToolServer host;
    const std::string session = open_session(host, "2025-06-18");
    CHECK(session.size() == 32);
    CHECK(session != open_session(host));
    CHECK(post(host, {{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}},
               in_session(session))
              ->status == 202);
    auto exchange = post(host, request("tools/list", Json::object()),
                         in_session(session, {{"MCP-Protocol-Version", "2025-06-18"}}));
    CHECK(exchange->status == 200);
    CHECK(exchange->json()["result"]["tools"].size() == 6);
    exchange = post(host, request("ping", Json::object()), in_session(session));
    CHECK(exchange->json()["result"] == Json::object());
  }

  TEST_CASE("a missing session is 400, an unknown or another caller's 404") {
    ToolServer host;
    auto exchange = post(host, request("tools/list", Json::object()), base_headers());
    CHECK(exchange->status == 400);
    CHECK(exchange->json()["id"] == 1);
    exchange = post(host, request("tools/list", Json::object()), in_session("guess"));
    CHECK(exchange->status == 404);
    mcp::View bob;
    bob.caller = "bob";
    exchange = host.http("POST", "/mcp", in_session(open_session(host)),
                         request("ping", Json::object()).dump(), bob);
    CHECK(exchange->status == 404);
    CHECK(post(host, {{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}}, base_headers())
              ->status == 400);
    CHECK(post(host, {{"jsonrpc", "2.0"}, {"id", 1}, {"result", 1}}, base_headers())->status ==
          400);
  }

  TEST_CASE("DELETE ends a session and its calls") {
    ToolServer host;
    const std::string session = open_session(host);
    const auto call = post(host, request("tools/call", {{"name", "wait"}}), in_session(session));
    CHECK(host.http("DELETE", "/mcp", {{"Mcp-Session-Id", session}}, "")->status == 204);
    host.settle();
    CHECK(host.gate.cancelled == 1);
    CHECK(call->ended);
    CHECK(post(host, request("ping", Json::object()), in_session(session))->status == 404);
    CHECK(host.http("DELETE", "/mcp", {{"Mcp-Session-Id", session}}, "")->status == 404);
    CHECK(host.http("DELETE", "/mcp", {}, "")->status == 400);
    CHECK(host.http("DELETE", "/mcp", {{"MCP-Protocol-Version", "2026-07-28"}}, "")->status == 405);
  }

  TEST_CASE("a version header nobody serves is 400; another legacy one is taken") {
    ToolServer host;
    const std::string session = open_session(host, "2024-11-05");
    auto exchange = post(host, request("tools/list", Json::object()),
                         in_session(session, {{"MCP-Protocol-Version", "1999-01-01"}}));
    CHECK(exchange->status == 400);
    exchange = post(host, request("tools/list", Json::object()),
                    in_session(session, {{"MCP-Protocol-Version", "2025-11-25"}}));
    CHECK(exchange->status == 200);
    CHECK(!exchange->json()["result"]["tools"][0].contains("annotations"));
  }

  TEST_CASE("notifications/cancelled ends the call of its session, and its exchange") {
    ToolServer host;
    const std::string session = open_session(host);
    const std::string other = open_session(host);
    const auto call = post(host, request("tools/call", {{"name", "wait"}}), in_session(session));
    const Json cancel{
        {"jsonrpc", "2.0"}, {"method", "notifications/cancelled"}, {"params", {{"requestId", 1}}}};
    post(host, cancel, in_session(other));
    CHECK(host.gate.cancelled == 0);
    CHECK(
        post(host, request("ping", Json::object()), in_session(session))->json()["error"]["code"] ==
        -32600);  // the id is in flight
    CHECK(post(host, cancel, in_session(session))->status == 202);
    host.settle();
    CHECK(host.gate.cancelled == 1);
    CHECK(call->ended);
    CHECK(call->events.empty());
  }

  TEST_CASE("a peer that goes cancels nothing") {
    ToolServer host;
    const auto call =
        post(host, request("tools/call", {{"name", "wait"}}), in_session(open_session(host)));
    call->vanish();
    host.settle();
    CHECK(host.gate.cancelled == 0);
    host.gate.open();
    host.settle();
    CHECK(host.gate.through == 1);
  }

  TEST_CASE("calls in flight in a session are bounded") {
    ToolServer host;
    const std::string session = open_session(host);
    for (int id = 0; id < 4; ++id) {
      post(host, request("tools/call", {{"name", "wait"}}, id), in_session(session));
    }
    const auto exchange =
        post(host, request("tools/call", {{"name", "wait"}}, 9), in_session(session));
    CHECK(exchange->json()["result"]["isError"] == true);
    host.gate.open();
    host.settle();
  }

  TEST_CASE("batches belong to 2025-03-26") {
    ToolServer host;
    const Json batch{request("ping", Json::object(), 1),
                     request("tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}}, 2)};
    auto exchange = post(host, batch, in_session(open_session(host, "2025-03-26")));
    CHECK(exchange->status == 200);
    CHECK(exchange->json().size() == 2);
    const Json note{{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}};
    CHECK(post(host, Json::array({note}), in_session(open_session(host, "2025-03-26")))->status ==
          202);
    CHECK(post(host, batch, in_session(open_session(host, "2025-06-18")))->status == 400);
    CHECK(post(host, batch, base_headers())->status == 400);
    CHECK(post(host, Json::array(), base_headers())->status == 400);
  }

  TEST_CASE("stop answers what is in flight") {
    ToolServer host;
    const auto call =
        post(host, request("tools/call", {{"name", "wait"}}), in_session(open_session(host)));
    host.stop();
    CHECK(call->json()["result"]["isError"] == true);
  }
}

TEST_SUITE("http, the door") {
  TEST_CASE("methods, content types and Accept") {
    ToolServer host;
    auto exchange = host.http("GET", "/mcp", {{"Accept", "text/event-stream"}}, "");
    CHECK(exchange->status == 405);
    CHECK(exchange->answer_header("Allow") == "POST, DELETE");
    CHECK(host.http("PUT", "/mcp", base_headers(), "{}")->status == 405);
    CHECK(host.http("POST", "/mcp", with(base_headers(), {{"Content-Type", "text/plain"}}), "{}")
              ->status == 415);
    CHECK(host.http("POST", "/mcp", with(base_headers(), {{"Accept", "application/json"}}), "{}")
              ->status == 406);
    const auto initialize = request("initialize", {{"protocolVersion", "2025-11-25"}});
    CHECK(post(host, initialize, with(base_headers(), {{"Accept", "*/*"}}))->status == 200);
  }

  TEST_CASE("a body that is no message is 400 with its JSON-RPC error") {
    ToolServer host;
    auto exchange = host.http("POST", "/mcp", base_headers(), "{oops");
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32700);
    CHECK(exchange->json()["id"] == nullptr);
    exchange = host.http("POST", "/mcp", base_headers(), R"({"foo":"boo"})");
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32600);
    CHECK(host.http("POST", "/mcp", base_headers(), "")->status == 400);
  }
}

TEST_SUITE("http, scripts") {
  Exchange call(ToolServer & host, const std::string& body) {
    return host.http("POST", "/tools/call", {{"Content-Type", "application/json"}}, body);
  }

  TEST_CASE("the structured result is the body") {
    ToolServer host;
    const auto exchange = call(host, R"({"name":"echo","arguments":{"text":"x"}})");
    CHECK(exchange->status == 200);
    CHECK(exchange->content_type == "application/json");
    CHECK(exchange->answer == R"({"text":"x"})");
    CHECK(call(host, R"({"name":"wait","arguments":{"steps":0}})")->status == 200);
  }

  TEST_CASE("bad bodies are 400 and say what was expected") {
    ToolServer host;
    for (const char* body :
         {"", "{", "[]", "5", R"({})", R"({"name":5})", R"({"name":"echo","arguments":[]})",
          R"({"name":"echo","argument":{}})", R"({"name":"echo","name":"echo"})",
          R"({"name":"echo"})"}) {
      const auto exchange = call(host, body);
      CHECK(exchange->status == 400);
      CHECK(exchange->json()["error"]["code"] == "InvalidArgument");
    }
    CHECK(call(host, R"({"name":"echo","arguments":{"text":1}})")->json()["error"]["message"] ==
          "arguments/text: expected string, got integer 1");
  }

  TEST_CASE("failures have their status") {
    ToolServer host;
    auto exchange = call(host, R"({"name":"nope"})");
    CHECK(exchange->status == 404);
    CHECK(exchange->json()["error"]["code"] == "NotFound");
    exchange = call(host, R"({"name":"fail","arguments":{"code":6,"retry_ms":1500}})");
    CHECK(exchange->status == 429);
    CHECK(exchange->answer_header("Retry-After") == "2");
    CHECK(exchange->json()["error"]["data"]["retry_after_ms"] == 1500);
    exchange = call(host, R"({"name":"crash"})");
    CHECK(exchange->status == 500);
    CHECK(exchange->answer.find("secret") == std::string::npos);
    host.server->drain();
    CHECK(call(host, R"({"name":"echo","arguments":{"text":"x"}})")->status == 503);
  }

  TEST_CASE("only POST with JSON") {
    ToolServer host;
    CHECK(host.http("GET", "/tools/call", {}, "")->status == 405);
    CHECK(host.http("POST", "/tools/call", {{"Content-Type", "text/plain"}}, "{}")->status == 415);
  }

  TEST_CASE("a peer that goes cancels its call; stop answers 503") {
    ToolServer host;
    const auto gone = call(host, R"({"name":"wait"})");
    gone->vanish();
    host.settle();
    CHECK(host.gate.cancelled == 1);
    const auto held = call(host, R"({"name":"wait"})");
    host.stop();
    CHECK(held->status == 503);
  }
}
