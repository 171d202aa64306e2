// Calls that last: side by side, cancelled, in flight at the end, with progress.
#include <doctest/doctest.h>

#include <algorithm>

#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

Json wait_for(int steps) { return {{"name", "wait"}, {"arguments", {{"steps", steps}}}}; }

Json report(Json values, Json token, Json more = Json::object()) {
  more["values"] = std::move(values);
  Json params{{"name", "report"}, {"arguments", std::move(more)}};
  if (!token.is_null()) params["_meta"]["progressToken"] = std::move(token);
  return params;
}

}  // namespace

TEST_SUITE("answers at hand") {
  const Json kKept{{"text", "kept"}, {"quoted", "\""}};

  TEST_CASE("both eras and the script door give it, and it is observed") {
    ToolServer host;
    Client client(host);
    client.initialize("2025-11-25");
    Json result = client.call(1, "echo", {{"text", "kept"}})["result"];
    CHECK(result["structuredContent"] == kKept);
    CHECK(Json::parse(result["content"][0]["text"].get<std::string>()) == kKept);
    CHECK(result["isError"] == false);
    result = client.ask(2, "tools/call",
                        modern({{"name", "echo"}, {"arguments", {{"text", "kept"}}}}))["result"];
    CHECK(result["structuredContent"] == kKept);
    CHECK(result["resultType"] == "complete");
    const auto script = host.http("POST", "/tools/call", {{"Content-Type", "application/json"}},
                                  R"({"name":"echo","arguments":{"text":"kept"}})");
    CHECK(Json::parse(script->answer) == kKept);
    REQUIRE(host.calls.size() == 3);
    CHECK(host.calls[0].tool == "echo");
    CHECK(host.calls[0].ok);
  }

  TEST_CASE("a revision without structured content gets the text alone") {
    ToolServer host;
    Client client(host);
    client.initialize("2024-11-05");
    const Json result = client.call(1, "echo", {{"text", "kept"}})["result"];
    CHECK_FALSE(result.contains("structuredContent"));
    CHECK(Json::parse(result["content"][0]["text"].get<std::string>()) == kKept);
    CHECK(result["isError"] == false);
  }

  TEST_CASE("what is not at hand, or fails to be looked up, is answered by the handler") {
    ToolServer host;
    Client client(host);
    for (const char* text : {"other", "broken"}) {
      const Json result = client.call(text, "echo", {{"text", text}})["result"];
      CHECK(result["structuredContent"] == Json{{"text", text}});
    }
  }

  TEST_CASE("the schema is checked before") {
    ToolServer host;
    Client client(host);
    const Json result = client.call(1, "echo", {{"text", "kept"}, {"times", 9}})["result"];
    CHECK(result["isError"] == true);
  }
}

TEST_SUITE("clocks") {
  TEST_CASE("each call tells its schema check and its reply, in that order") {
    using enum mcp::Stage;
    ToolServer host;
    Client client(host);
    for (const char* text : {"kept", "other"}) {
      host.stages.clear();
      client.call(text, "echo", {{"text", text}});
      CHECK(host.stages == std::vector<mcp::Stage>{Schema, Reply});
    }
  }

  TEST_CASE("a call that is refused by its schema tells the check only") {
    ToolServer host;
    Client client(host);
    client.call(1, "echo");
    CHECK(host.stages == std::vector<mcp::Stage>{mcp::Stage::Schema});
    CHECK(host.calls.empty());
  }
}

TEST_SUITE("calls") {
  TEST_CASE("calls run side by side and each has one reply") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", wait_for(1));
    client.request(2, "tools/call", wait_for(1));
    CHECK(host.gate.waiting == 2);
    CHECK(client.call(3, "echo", {{"text", "first"}}).contains("result"));
    host.gate.open();
    host.settle();
    REQUIRE(client.pending() == 2);
    Json ids{client.next()["id"], client.next()["id"]};
    std::sort(ids.begin(), ids.end());
    CHECK(ids == Json{1, 2});
  }

  TEST_CASE("an id in flight is refused, and free again after the reply") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", wait_for(1));
    const Json error = client.ask(1, "ping")["error"];
    CHECK(error["code"] == -32600);
    CHECK(client.ask("1", "ping").contains("result"));  // another id
    host.gate.open();
    host.settle();
    CHECK(client.next()["result"]["isError"] == false);
    CHECK(client.call(1, "echo", {{"text", "again"}}).contains("result"));
  }

  TEST_CASE("more calls than allowed are refused as a tool error") {
    ToolServer host;
    Client client(host);
    for (int id = 0; id < 4; ++id) client.request(id, "tools/call", wait_for(1));
    const Json result = client.call(4, "echo", {{"text", "x"}})["result"];
    CHECK(result["isError"] == true);
    CHECK(result["content"][0]["text"].get<std::string>().starts_with("4 calls are in flight"));
    CHECK(client.ask(5, "ping").contains("result"));
    host.gate.open();
    host.settle();
    CHECK(client.pending() == 4);
  }

  TEST_CASE("a cancelled call ends at whichever await it is, without a reply") {
    for (int steps = 1; steps <= 3; ++steps) {
      ToolServer host;
      Client client(host);
      client.request("a", "tools/call", wait_for(steps));
      CHECK(host.gate.waiting == 1);
      client.notify("notifications/cancelled", {{"requestId", "a"}, {"reason", "enough"}});
      CHECK(host.gate.waiting == 0);
      CHECK(host.gate.cancelled == 1);
      CHECK(client.quiet());
      CHECK(host.calls.size() == 1);
      CHECK(!host.calls[0].ok);
      CHECK(client.ask("a", "ping").contains("result"));
    }
  }

  TEST_CASE("only the call named is cancelled, and twice is once") {
    ToolServer host;
    Client client(host);
    Client other(host);
    client.request(1, "tools/call", wait_for(1));
    client.request(2, "tools/call", wait_for(1));
    other.request(1, "tools/call", wait_for(1));
    client.notify("notifications/cancelled", {{"requestId", 1}});
    client.notify("notifications/cancelled", {{"requestId", 1}});
    client.notify("notifications/cancelled", {{"requestId", "2"}});
    CHECK(host.gate.cancelled == 1);
    host.gate.open();
    host.settle();
    CHECK(client.next()["id"] == 2);
    CHECK(client.quiet());
    CHECK(other.next()["id"] == 1);
  }

  TEST_CASE("modern calls are cancelled by notification too") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", modern(wait_for(1)));
    client.notify("notifications/cancelled", {{"requestId", 1}});
    CHECK(host.gate.cancelled == 1);
    CHECK(client.quiet());
  }

  TEST_CASE("the end of input answers what is in flight, then serve returns") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", wait_for(1));
    client.send(Client::kEnd);
    CHECK(!client.served());
    host.gate.open();
    host.settle();
    CHECK(client.next()["id"] == 1);
    CHECK(client.served());
  }

  TEST_CASE("what is still in flight when the time to drain is over is stopped and told") {
    mcp::ServerOptions options = ToolServer::defaults();
    options.drain = base::Millis(0);
    ToolServer host(options);
    Client client(host);
    client.request(1, "tools/call", wait_for(1));
    client.send(Client::kEnd);
    host.io.restart();
    while (!client.served()) host.io.run_one();
    host.settle();
    const Json answer = client.next();
    CHECK(answer["id"] == 1);
    CHECK(answer["result"]["isError"] == true);
    CHECK(host.gate.cancelled == 1);
  }

  TEST_CASE("a client that vanishes leaves nothing behind") {
    ToolServer host;
    {
      Client client(host);
      client.request(1, "tools/call", wait_for(1));
      client.hang_up();
    }
    CHECK(host.gate.waiting == 0);
  }

  TEST_CASE("draining refuses calls and lets those in flight go on") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", wait_for(1));
    host.server->drain();
    const Json result = client.call(2, "echo", {{"text", "x"}})["result"];
    CHECK(result["isError"] == true);
    CHECK(result["content"][0]["text"] == "the server is shutting down; retry in 1 s");
    host.gate.open();
    host.settle();
    CHECK(client.next()["result"]["isError"] == false);
  }

  TEST_CASE("stop cancels the calls, answers them and ends the connections") {
    ToolServer host;
    Client client(host);
    client.initialize("2025-03-26");
    client.request(1, "tools/call", wait_for(1));
    client.send(R"([{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"wait"}}])");
    CHECK(host.gate.waiting == 2);
    host.stop();
    CHECK(host.gate.cancelled == 2);
    CHECK(client.served());
    REQUIRE(client.pending() == 2);
    const Json answer = client.next();
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer["result"]["content"][0]["text"] ==
          "the server stopped during the call; retry in 1 s");
    CHECK(client.next()[0]["result"]["isError"] == true);
  }

  TEST_CASE("cancelling whoever serves a connection stops its calls and answers them") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", wait_for(1));
    client.cancel_serving();
    CHECK(host.gate.cancelled == 1);
    CHECK(client.served());
    CHECK(client.next()["result"]["isError"] == true);
  }
}

TEST_SUITE("progress") {
  TEST_CASE("the first and the newest value are told before the reply, with the caller's token") {
    ToolServer host;
    Client client(host);
    for (const Json& token : {Json("t-1"), Json(7)}) {
      client.request(1, "tools/call",
                     report({1, 2, 3}, token, {{"total", 4}, {"message", "on it"}}));
      Json told = client.next();
      CHECK(told["method"] == "notifications/progress");
      CHECK(told["params"]["progress"] == 1.0);
      told = client.next();
      CHECK(
          told["params"] ==
          Json{{"progressToken", token}, {"progress", 3.0}, {"total", 4.0}, {"message", "on it"}});
      const Json answer = client.next();
      CHECK(answer["id"] == 1);
      CHECK(answer["result"]["structuredContent"]["wanted"] == true);
      CHECK(client.quiet());
    }
  }

  TEST_CASE("the first value goes at once, later ones at most ten a second, the last is kept") {
    ToolServer host;
    Client client(host);
    Json values = Json::array();
    for (int i = 1; i <= 1000; ++i) values.push_back(i);
    client.request(1, "tools/call", report(values, "t", {{"pause", true}}));
    std::vector<double> told;
    Json message = client.next();
    for (; message.contains("method"); message = client.next()) {
      told.push_back(message["params"]["progress"]);
    }
    CHECK(message["id"] == 1);
    REQUIRE(told.size() >= 2);
    CHECK(told.size() <= 20);
    CHECK(told.front() == 1);
    CHECK(told.back() == 1000);
    CHECK(std::is_sorted(told.begin(), told.end()));
  }

  TEST_CASE("what does not grow is not told") {
    ToolServer host;
    Client client(host);
    client.request(1, "tools/call", report({5, 5, 4, 3}, "t"));
    const Json told = client.next();
    CHECK(told["params"] == Json{{"progressToken", "t"}, {"progress", 5.0}});
    CHECK(client.next()["id"] == 1);
    CHECK(client.quiet());
  }

  TEST_CASE("without a token nothing is told") {
    ToolServer host;
    Client client(host);
    const Json answer = client.ask(1, "tools/call", report({1, 2}, nullptr));
    CHECK(answer["result"]["structuredContent"]["wanted"] == false);
  }

  TEST_CASE("2024-11-05 has no message in it") {
    ToolServer host;
    Client client(host);
    client.initialize("2024-11-05");
    client.request(1, "tools/call", report({1}, "t", {{"message", "on it"}}));
    CHECK(client.next()["params"] == Json{{"progressToken", "t"}, {"progress", 1.0}});
    CHECK(client.next()["id"] == 1);
  }
}
