// Rules of the specification that a client breaks, and what it gets for it; docs/protocol-tests.md
// says which rule is broken where.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "net/line_framer.h"
#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

using Exchange = std::shared_ptr<support::MemoryExchange>;

// What a server may say: JSON-RPC's own codes, and MCP's that this revision defines.
constexpr std::array kCodes{-32700, -32600, -32601, -32602, -32603, -32020, -32021, -32022};

// Messages that break a rule each, some of them only in one era.
const std::vector<std::string> kBroken = {
    "",
    "null",
    "7",
    "\"ping\"",
    "{}",
    "[]",
    "[[]]",
    "[{}]",
    "{\"jsonrpc\":\"2.0\"",
    "{'jsonrpc':'2.0','id':1,'method':'ping'}",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} {}",
    R"({"id":1,"method":"ping"})",
    R"({"jsonrpc":"1.0","id":1,"method":"ping"})",
    R"({"jsonrpc":2.0,"id":1,"method":"ping"})",
    R"({"jsonrpc":"2.0","id":1})",
    R"({"jsonrpc":"2.0","id":1,"method":null})",
    R"({"jsonrpc":"2.0","id":1,"method":""})",
    R"({"jsonrpc":"2.0","id":1,"method":"rpc.discover"})",
    R"({"jsonrpc":"2.0","id":true,"method":"ping"})",
    R"({"jsonrpc":"2.0","id":[1],"method":"ping"})",
    R"({"jsonrpc":"2.0","id":{"a":1},"method":"ping"})",
    R"({"jsonrpc":"2.0","id":1,"id":2,"method":"ping"})",
    R"({"jsonrpc":"2.0","id":1,"method":"ping","params":"x"})",
    R"({"jsonrpc":"2.0","id":1,"method":"ping","params":null})",
    R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]})",
    R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":null}})",
    R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":"x"}})",
    R"({"jsonrpc":"2.0","id":1,"method":"ping","result":{}})",
    R"({"jsonrpc":"2.0","id":1,"result":{},"error":{"code":1,"message":"x"}})",
    R"({"jsonrpc":"2.0","id":1,"error":{"code":"1","message":"x"}})",
    R"({"jsonrpc":"2.0","id":1,"error":{"code":1.5,"message":"x"}})",
    R"({"jsonrpc":"2.0","id":1,"error":{"message":"x"}})",
    R"({"jsonrpc":"2.0","id":1,"error":"x"})",
    R"({"jsonrpc":"2.0","result":{}})",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\xFF\"}",
    "{\"jsonrpc\":\"2.0\",\"id\":\"\\ud800\",\"method\":\"ping\"}",
    "\xEF\xBB\xBF{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}",
    std::string("{\0\"\0}\0", 6),
};

// An error that JSON-RPC knows, whose id is the request's or null.
void check_refusal(const Json& answer) {
  CAPTURE(answer.dump());
  CHECK(answer["jsonrpc"] == "2.0");
  CHECK(!answer.contains("result"));
  REQUIRE(answer.contains("id"));
  REQUIRE(answer.contains("error"));
  const Json& error = answer["error"];
  REQUIRE(error["code"].is_number_integer());
  CHECK(std::find(kCodes.begin(), kCodes.end(), error["code"].get<int>()) != kCodes.end());
  REQUIRE(error["message"].is_string());
  CHECK(!error["message"].get<std::string>().empty());
}

Json request(const char* method, Json params, Json id = 1) {
  return {
      {"jsonrpc", "2.0"}, {"id", std::move(id)}, {"method", method}, {"params", std::move(params)}};
}

rpc::HeaderList modern_headers(const char* method, const char* version = "2026-07-28") {
  return {{"Content-Type", "application/json"},
          {"Accept", "application/json, text/event-stream"},
          {"MCP-Protocol-Version", version},
          {"Mcp-Method", method}};
}

Exchange post(ToolServer& host, const std::string& body, rpc::HeaderList headers) {
  return host.http("POST", "/mcp", std::move(headers), body);
}

int code_of(const Exchange& exchange) { return exchange->json()["error"]["code"].get<int>(); }

Json wait_call() { return {{"name", "wait"}, {"arguments", {{"steps", 1}}}}; }

}  // namespace

TEST_SUITE("broken rules, messages") {
  TEST_CASE("each broken message gets one refusal or none, and the next one is served") {
    ToolServer host;
    Client client(host);
    int refused = 0;
    for (const std::string& text : kBroken) {
      CAPTURE(text);
      client.send(text);
      CHECK(client.pending() <= 1);
      if (!client.quiet()) {
        check_refusal(client.next());
        ++refused;
      }
      CHECK(client.ask("next", "ping")["result"] == Json::object());
    }
    CHECK(refused == static_cast<int>(kBroken.size()) - 1);  // a blank line is no message
    CHECK(host.calls.empty());
  }

  TEST_CASE("over HTTP each is refused by status as well") {
    ToolServer host;
    for (const std::string& text : kBroken) {
      CAPTURE(text);
      const auto exchange = post(host, text, modern_headers("ping"));
      CHECK(exchange->status >= 400);
      CHECK(exchange->status < 500);
      check_refusal(exchange->json());
    }
    CHECK(host.calls.empty());
  }

  TEST_CASE("a message over several lines is none, whichever line is looked at") {
    ToolServer host;
    Client client(host);
    const std::string pretty = request("ping", Json::object()).dump(2) + "\n";
    net::LineFramer framer(1000);
    std::copy(pretty.begin(), pretty.end(), framer.space().begin());
    framer.received(pretty.size());
    std::string_view line;
    int lines = 0;
    for (; framer.next(line) == net::LineFramer::Found::Line; ++lines) {
      client.send(std::string(line));
      check_refusal(client.next());
    }
    CHECK(lines == 6);
    CHECK(client.ask(1, "ping").contains("result"));
  }

  TEST_CASE("an id that is no string and no integer is never taken for another") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", wait_call());
    for (const char* id : {"1.0", "1e0", "\"1\"", "null"}) {
      client.send(std::string(R"({"jsonrpc":"2.0","method":"ping","id":)") + id + "}");
      const Json answer = client.next();
      CHECK(answer["id"] == Json::parse(id));
      CHECK(client.quiet());
    }
    CHECK(host.gate.waiting == 1);
  }

  TEST_CASE("a notification with an id is a request, a request without one is never answered") {
    ToolServer host;
    Client client(host);
    CHECK(client.ask(1, "notifications/initialized")["error"]["code"] == -32601);
    CHECK(client.ask(2, "notifications/initialized", modern())["error"]["code"] == -32601);
    client.notify("tools/call", {{"name", "echo"}, {"arguments", {{"text", "x"}}}});
    client.notify("tools/list", modern());
    CHECK(client.quiet());
    CHECK(host.calls.empty());
  }
}

TEST_SUITE("broken rules, metadata") {
  TEST_CASE("required metadata that is missing or of another type is -32602 with 400") {
    ToolServer host;
    Client client(host);
    const char* const keys[] = {"io.modelcontextprotocol/protocolVersion",
                                "io.modelcontextprotocol/clientCapabilities"};
    for (const char* key : keys) {
      for (const Json& value : {Json(), Json(5), Json(Json::array()), Json(true)}) {
        CAPTURE(value.dump());
        Json params = modern();
        params["_meta"][key] = value;
        const auto exchange =
            post(host, request("tools/list", params).dump(), modern_headers("tools/list"));
        CHECK(exchange->status == 400);
        CHECK(code_of(exchange) == -32602);
        CHECK(client.ask(1, "tools/list", params)["error"]["code"] == -32602);
      }
      Json params = modern();
      params["_meta"].erase(key);
      const auto exchange =
          post(host, request("tools/list", params).dump(), modern_headers("tools/list"));
      CHECK(exchange->status == 400);
      CHECK(code_of(exchange) == -32602);
    }
  }

  TEST_CASE("metadata that is no object is none") {
    ToolServer host;
    for (const Json& meta : {Json(), Json(5), Json("x"), Json(Json::array())}) {
      const auto exchange =
          post(host, request("tools/list", {{"_meta", meta}}).dump(), modern_headers("tools/list"));
      CHECK(exchange->status == 400);
      CHECK(code_of(exchange) == -32602);
    }
  }

  TEST_CASE("what one request declares is forgotten with it") {
    ToolServer host;
    Client client(host);
    CHECK(client.ask(1, "tools/list", modern())["result"].contains("resultType"));
    CHECK(!client.ask(2, "tools/list")["result"].contains("resultType"));
    CHECK(client.ask(3, "server/discover")["error"]["code"] == -32602);
  }

  TEST_CASE("a progress token is a string or an integer") {
    ToolServer host;
    Client client(host);
    for (const Json& token : {Json(1.5), Json(true), Json(Json::object()), Json(Json::array())}) {
      Json params{{"name", "echo"}, {"arguments", {{"text", "x"}}}};
      params["_meta"]["progressToken"] = token;
      CHECK(client.ask(1, "tools/call", params)["error"]["code"] == -32602);
      CHECK(client.ask(2, "tools/call", modern(params))["error"]["code"] == -32602);
    }
    CHECK(host.calls.empty());
  }

  TEST_CASE("a progress token that two requests share leaves each its own answer") {
    ToolServer host;
    Client client(host);
    Json params{{"name", "report"}, {"arguments", {{"values", {1}}}}};
    params["_meta"]["progressToken"] = "same";
    client.request(1, "tools/call", params);
    client.request(2, "tools/call", params);
    int told = 0;
    Json ids = Json::array();
    while (!client.quiet()) {
      const Json message = client.next();
      if (message.contains("id")) ids.push_back(message["id"]);
      told += message.contains("method") ? 1 : 0;
    }
    CHECK(told == 2);
    std::sort(ids.begin(), ids.end());
    CHECK(ids == Json{1, 2});
  }
}

TEST_SUITE("broken rules, headers") {
  TEST_CASE("names of headers have no case, their values have") {
    ToolServer host;
    const std::string body =
        request("tools/call", modern({{"name", "echo"}, {"arguments", {{"text", "x"}}}})).dump();
    const auto named = [&](const char* header, const char* value) {
      auto headers = modern_headers("tools/call");
      headers.emplace_back(header, value);
      return post(host, body, std::move(headers));
    };
    CHECK(named("MCP-NAME", "echo")->status == 200);
    for (const char* value : {"Echo", "echo echo", "\"echo\"", "=?BASE64?ZWNobw==?=",
                              "=?base64?RWNobw==?=", "=?base64?ZWNobw?=", "=?base64?ZW5obw=?="}) {
      const auto exchange = named("Mcp-Name", value);
      CAPTURE(value);
      CHECK(exchange->status == 400);
      CHECK(code_of(exchange) == -32020);
      CHECK(exchange->json()["id"] == 1);
    }
  }

  TEST_CASE(
      "a revision in the header that the body does not claim is never the one that is served") {
    ToolServer host;
    const std::string body = request("tools/list", modern()).dump();
    for (const char* version : {"2025-11-25", "2024-11-05", "2026-07-29", "", "2026-07-28, x"}) {
      CAPTURE(version);
      const auto exchange = post(host, body, modern_headers("tools/list", version));
      CHECK(exchange->status == 400);
      CHECK(code_of(exchange) == -32020);
    }
  }

  TEST_CASE("a revision that is not served is told which are, whatever else is wrong") {
    ToolServer host;
    const std::string body = request("tools/list", modern(Json::object(), "2030-01-01")).dump();
    const auto exchange = post(host, body, modern_headers("tools/list", "2030-01-01"));
    CHECK(exchange->status == 400);
    CHECK(code_of(exchange) == -32022);
    CHECK(exchange->json()["error"]["data"]["supported"] == Json{"2026-07-28"});
  }

  TEST_CASE("a response that a client sends in the modern era is refused") {
    ToolServer host;
    for (const char* body : {R"({"jsonrpc":"2.0","id":1,"result":{}})",
                             R"({"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}})"}) {
      CHECK(post(host, body, modern_headers("x"))->status == 400);
    }
  }
}

TEST_SUITE("broken rules, life cycle") {
  TEST_CASE("a client that never says it is ready, or introduces itself twice, is served") {
    ToolServer host;
    Client client(host);
    client.initialize("2024-11-05");
    CHECK(client.call(1, "echo", {{"text", "x"}}).contains("result"));
    client.initialize("2025-11-25");
    CHECK(client.ask(2, "tools/list")["result"]["tools"][0].contains("annotations"));
  }

  TEST_CASE("a handshake that is wrong leaves what was agreed before") {
    ToolServer host;
    Client client(host);
    client.initialize("2024-11-05");
    for (const Json& params : {Json(), Json(Json::array({1})), Json{{"protocolVersion", 5}}}) {
      CHECK(client.ask(1, "initialize", params)["error"]["code"] == -32602);
    }
    CHECK(!client.ask(2, "tools/list")["result"]["tools"][0].contains("annotations"));
  }

  TEST_CASE("a cancel of what is over, unknown, or no id at all changes nothing") {
    ToolServer host;
    Client client(host);
    client.initialize("2025-11-25");
    client.call(1, "echo", {{"text", "x"}});
    client.request(2, "tools/call", wait_call());
    for (const Json& id : {Json(1), Json(77), Json("2"), Json(2.5), Json(), Json(true),
                           Json(Json::array({2})), Json{{"id", 2}}}) {
      client.notify("notifications/cancelled", {{"requestId", id}});
    }
    client.notify("notifications/cancelled", Json::array({2}));
    client.notify("notifications/cancelled");
    CHECK(host.gate.cancelled == 0);
    host.gate.open();
    host.settle();
    CHECK(client.next()["id"] == 2);
    CHECK(client.quiet());
  }

  TEST_CASE("a cursor that was never given out is -32602, an empty one too") {
    ToolServer host;
    Client client(host);
    for (const Json& cursor : {Json(""), Json("x"), Json(5), Json("\xF0\x9F\x98\x80")}) {
      CHECK(client.ask(1, "tools/list", {{"cursor", cursor}})["error"]["code"] == -32602);
      CHECK(client.ask(2, "tools/list", modern({{"cursor", cursor}}))["error"]["code"] == -32602);
    }
  }
}
