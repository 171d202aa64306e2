// MCP on a connection: both eras, exactly one reply, bad input.
#include <doctest/doctest.h>

#include "mcp/registry.h"
#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

std::string text_of(const Json& answer) { return answer["result"]["content"][0]["text"]; }

Json names(const Json& result) {
  Json out = Json::array();
  for (const Json& tool : result["tools"]) out.push_back(tool["name"]);
  return out;
}

}  // namespace

TEST_SUITE("connection, legacy") {
  TEST_CASE("the handshake agrees on the revision asked for, or the newest") {
    for (const char* version : {"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"}) {
      ToolServer host;
      Client client(host);
      const Json result = client.initialize(version);
      CHECK(result["protocolVersion"] == version);
      CHECK(result["capabilities"] == Json{{"tools", Json::object()}});
      CHECK(result["serverInfo"]["name"] == "mahavishnu");
      CHECK(result["serverInfo"]["version"] == "1.2.3");
      CHECK(result["serverInfo"].contains("title") == (std::string(version) >= "2025-06-18"));
      CHECK(result["instructions"] == "Call echo first.");
      CHECK(!result.contains("resultType"));
    }
    ToolServer host;
    Client client(host);
    CHECK(client.initialize("1900-01-01")["protocolVersion"] == "2025-11-25");
    CHECK(client.initialize("2026-07-28")["protocolVersion"] == "2025-11-25");
  }

  TEST_CASE("initialize without a version is -32602") {
    ToolServer host;
    Client client(host);
    CHECK(client.ask(1, "initialize")["error"]["code"] == -32602);
    CHECK(client.ask(2, "initialize", {{"protocolVersion", 5}})["error"]["code"] == -32602);
  }

  TEST_CASE("each revision lists what it knows of a tool") {
    const std::pair<const char*, Json> cases[] = {
        {"2024-11-05", {"description", "inputSchema", "name"}},
        {"2025-03-26", {"annotations", "description", "inputSchema", "name"}},
        {"2025-06-18",
         {"annotations", "description", "inputSchema", "name", "outputSchema", "title"}},
        {"2025-11-25",
         {"annotations", "description", "inputSchema", "name", "outputSchema", "title"}},
    };
    for (const auto& [version, keys] : cases) {
      ToolServer host;
      Client client(host);
      client.initialize(version);
      const Json answer = client.ask(1, "tools/list");
      CHECK(names(answer["result"]) == Json{"echo", "wait", "fail", "crash", "report", "erase"});
      Json found = Json::array();
      for (const auto& member : answer["result"]["tools"][0].items()) found.push_back(member.key());
      CHECK(found == keys);
      CHECK(answer["result"].size() == 1);
    }
  }

  TEST_CASE("annotations say what a tool does to the world") {
    ToolServer host;
    Client client(host);
    const Json tools = client.ask(1, "tools/list")["result"]["tools"];
    CHECK(tools[0]["annotations"] == Json{{"title", "Title of echo"},
                                          {"readOnlyHint", true},
                                          {"destructiveHint", false},
                                          {"idempotentHint", true},
                                          {"openWorldHint", false}});
    CHECK(tools[2]["annotations"]["idempotentHint"] == true);
    CHECK(tools[3]["annotations"]["idempotentHint"] == false);
    CHECK(tools[3]["annotations"]["destructiveHint"] == false);
    CHECK(tools[5]["annotations"]["destructiveHint"] == true);
    CHECK(tools[5]["annotations"]["readOnlyHint"] == false);
    CHECK(tools[0]["inputSchema"]["properties"]["times"]["maximum"] == 5);
  }

  TEST_CASE("a call's result is text, and structure where the revision has it") {
    ToolServer host;
    Client client(host);
    client.initialize("2025-03-26");
    Json answer = client.call(1, "echo", {{"text", "a\"ö\n"}});
    CHECK(text_of(answer) == Json({{"text", "a\"ö\n"}}).dump());
    CHECK(answer["result"]["isError"] == false);
    CHECK(!answer["result"].contains("structuredContent"));
    client.initialize("2025-06-18");
    answer = client.call(2, "echo", {{"text", "x"}});
    CHECK(answer["result"]["structuredContent"] == Json{{"text", "x"}});
    CHECK(!answer["result"].contains("resultType"));
    CHECK(host.calls.size() == 2);
    CHECK(host.calls[0].tool == "echo");
    CHECK(host.calls[0].ok);
  }

  TEST_CASE("a result of several lines is still one line on the wire") {
    ToolServer host;
    Client client(host);
    const Json result = client.call(1, "wait", {{"steps", 0}, {"lines", true}})["result"];
    CHECK(result["structuredContent"] == Json{{"waited", true}});
    CHECK(result["content"][0]["text"] == "{\n\"waited\":\ntrue}");
  }

  TEST_CASE("a bare request typed by hand is answered as the newest legacy revision") {
    ToolServer host;
    Client client(host);
    client.send(R"({"jsonrpc":"2.0","id":1,"method":"tools/list"})");
    const Json answer = client.next();
    CHECK(answer["result"]["tools"][0].contains("outputSchema"));
    CHECK(!answer["result"].contains("ttlMs"));
    client.send("");
    client.send("  \r");
    CHECK(client.quiet());
  }

  TEST_CASE("ping is answered with an empty object, before the handshake too") {
    ToolServer host;
    Client client(host);
    CHECK(client.ask(1, "ping")["result"] == Json::object());
  }

  TEST_CASE("an unknown method says what may have been meant") {
    ToolServer host;
    Client client(host);
    const Json error = client.ask(1, "tools/lst")["error"];
    CHECK(error["code"] == -32601);
    CHECK(error["message"] == R"(unknown method "tools/lst"; did you mean "tools/list"?)");
    CHECK(client.ask(2, "resources/list")["error"]["code"] == -32601);
  }

  TEST_CASE("batches are taken by 2025-03-26 only") {
    ToolServer host;
    Client client(host);
    const Json batch{{{"jsonrpc", "2.0"}, {"id", 1}, {"method", "ping"}},
                     {{"jsonrpc", "2.0"}, {"method", "notifications/initialized"}},
                     {{"jsonrpc", "2.0"}, {"id", 2}, {"method", "initialize"}},
                     {{"jsonrpc", "2.0"},
                      {"id", 3},
                      {"method", "tools/call"},
                      {"params", {{"name", "echo"}, {"arguments", {{"text", "x"}}}}}}};
    client.send_json(batch);
    Json answer = client.next();
    CHECK(answer["error"]["code"] == -32600);
    CHECK(answer["id"] == nullptr);
    client.initialize("2025-03-26");
    client.send_json(batch);
    answer = client.next();
    REQUIRE(answer.is_array());
    REQUIRE(answer.size() == 3);
    CHECK(answer[0]["result"] == Json::object());
    CHECK(answer[1]["error"]["code"] == -32600);
    CHECK(answer[2]["id"] == 3);
    client.send(R"([{"jsonrpc":"2.0","method":"notifications/initialized"}])");
    CHECK(client.quiet());
    client.send("[]");
    CHECK(client.next()["error"]["code"] == -32600);
    client.send("[1]");
    answer = client.next();
    CHECK((answer.is_array() ? answer[0] : answer)["error"]["code"] == -32600);
  }

  TEST_CASE("a call of a batch can be cancelled, and the rest is answered") {
    ToolServer host;
    Client client(host);
    client.initialize("2025-03-26");
    client.send(R"([{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"wait"}},
                    {"jsonrpc":"2.0","id":2,"method":"ping"}])");
    CHECK(client.quiet());
    client.notify("notifications/cancelled", {{"requestId", 1}});
    const Json answer = client.next();
    REQUIRE(answer.size() == 1);
    CHECK(answer[0]["id"] == 2);
  }
}

TEST_SUITE("connection, modern") {
  TEST_CASE("server/discover tells versions, capabilities and who it is") {
    ToolServer host;
    Client client(host);
    const Json result = client.ask("discover-1", "server/discover", modern())["result"];
    CHECK(result ==
          Json{{"resultType", "complete"},
               {"supportedVersions", {"2026-07-28"}},
               {"capabilities", {{"tools", Json::object()}}},
               {"instructions", "Call echo first."},
               {"ttlMs", 300000},
               {"cacheScope", "public"},
               {"_meta",
                {{"io.modelcontextprotocol/serverInfo",
                  {{"name", "mahavishnu"}, {"title", "Mahavishnu"}, {"version", "1.2.3"}}}}}});
  }

  TEST_CASE("lists and results say that they are complete") {
    ToolServer host;
    Client client(host);
    const Json list = client.ask(1, "tools/list", modern())["result"];
    CHECK(list["resultType"] == "complete");
    CHECK(list["ttlMs"] == 300000);
    CHECK(list["cacheScope"] == "private");
    CHECK(list["tools"][0]["title"] == "Title of echo");
    const Json params{{"name", "echo"}, {"arguments", {{"text", "x"}}}};
    const Json result = client.ask(2, "tools/call", modern(params))["result"];
    CHECK(result["resultType"] == "complete");
    CHECK(result["structuredContent"] == Json{{"text", "x"}});
    CHECK(result["isError"] == false);
    CHECK(result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == "mahavishnu");
    const Json error = client.ask(3, "tools/call", modern({{"name", "fail"}}))["result"];
    CHECK(error["resultType"] == "complete");
    CHECK(error["isError"] == true);
  }

  TEST_CASE("metadata that is wrong is refused") {
    ToolServer host;
    Client client(host);
    Json params = modern();
    params["_meta"].erase("io.modelcontextprotocol/clientCapabilities");
    CHECK(client.ask(1, "tools/list", params)["error"]["code"] == -32602);
    CHECK(client.ask(2, "server/discover")["error"]["code"] == -32602);
    CHECK(client.ask(3, "server/discover", Json::object())["error"]["code"] == -32602);
    const Json error = client.ask(4, "tools/list", modern(Json::object(), "v999.0.0"))["error"];
    CHECK(error["code"] == -32022);
    CHECK(error["data"] == Json{{"supported", {"2026-07-28"}}, {"requested", "v999.0.0"}});
    params = modern();
    params["_meta"].erase("io.modelcontextprotocol/clientInfo");  // optional
    CHECK(client.ask(5, "tools/list", params).contains("result"));
  }

  TEST_CASE("what the revision removed is unknown") {
    ToolServer host;
    Client client(host);
    for (const char* method : {"initialize", "ping", "logging/setLevel", "resources/subscribe",
                               "tasks/result", "unknown/method"}) {
      CHECK(client.ask(method, method, modern())["error"]["code"] == -32601);
    }
  }

  TEST_CASE("the eras may be mixed and discovery pins nothing") {
    ToolServer host;
    Client client(host);
    client.ask(1, "server/discover", modern());
    CHECK(client.initialize("2024-11-05")["protocolVersion"] == "2024-11-05");
    CHECK(client.ask(2, "tools/list", modern())["result"].contains("ttlMs"));
    const Json legacy = client.ask(3, "tools/list")["result"];
    CHECK(!legacy.contains("ttlMs"));
    CHECK(!legacy["tools"][0].contains("annotations"));
  }
}

TEST_SUITE("connection, failures") {
  TEST_CASE("a schema violation is a tool error that names the path") {
    ToolServer host;
    Client client(host);
    const Json answer = client.call(1, "echo", {{"txt", "x"}, {"times", "5"}});
    CHECK(answer["result"]["isError"] == true);
    CHECK(!answer["result"].contains("structuredContent"));
    CHECK(text_of(answer) ==
          "missing required argument \"text\"\n"
          "arguments/times: expected integer, got string \"5\"\n"
          "arguments: unknown argument \"txt\"; did you mean \"text\"?");
    CHECK(host.calls.empty());
  }

  TEST_CASE("no arguments are an empty object") {
    ToolServer host;
    Client client(host);
    CHECK(text_of(client.ask(1, "tools/call", {{"name", "echo"}})) ==
          "missing required argument \"text\"");
  }

  TEST_CASE("malformed params and an unknown tool are -32602") {
    ToolServer host;
    Client client(host);
    const auto code = [&](Json params) {
      const Json answer = client.ask(1, "tools/call", std::move(params));
      return answer["error"]["code"];
    };
    CHECK(code(nullptr) == -32602);
    CHECK(code(Json::array({1})) == -32602);
    CHECK(code(Json::object()) == -32602);
    CHECK(code({{"name", 5}}) == -32602);
    CHECK(code({{"name", "echo"}, {"arguments", Json::array()}}) == -32602);
    CHECK(code({{"name", "echo"}, {"arguments", nullptr}}) == -32602);
    CHECK(code({{"name", "echo"}, {"_meta", {{"progressToken", 1.5}}}}) == -32602);
    const Json error = client.call(2, "ehco")["error"];
    CHECK(error["code"] == -32602);
    CHECK(error["message"] == R"(unknown tool "ehco"; did you mean "echo"?)");
    CHECK(client.ask(3, "tools/list", Json::array({1}))["error"]["code"] == -32602);
    CHECK(client.ask(4, "tools/list", {{"cursor", "x"}})["error"]["code"] == -32602);
  }

  TEST_CASE("a tool's failure is a result a model can read") {
    ToolServer host;
    Client client(host);
    const Json answer = client.call(1, "fail", {{"code", 6}, {"retry_ms", 2000}});
    CHECK(answer["result"]["isError"] == true);
    CHECK(text_of(answer) == "pool \"gpu\" is full (64 queued); retry in 2 s");
    REQUIRE(host.calls.size() == 1);
    CHECK(!host.calls[0].ok);
  }

  TEST_CASE("an exception is -32603 and tells nothing of the inside") {
    ToolServer host;
    Client client(host);
    const Json answer = client.call(1, "crash");
    CHECK(answer["error"]["code"] == -32603);
    CHECK(answer.dump().find("secret") == std::string::npos);
    CHECK(client.call(2, "echo", {{"text", "still here"}}).contains("result"));
  }

  TEST_CASE("JSON-RPC's own examples of bad input") {
    ToolServer host;
    Client client(host);
    const auto code = [&](const char* text) {
      client.send(text);
      const Json answer = client.next();
      CHECK(client.quiet());
      return answer["error"]["code"].get<int>();
    };
    CHECK(code(R"({"jsonrpc": "2.0", "method": "foobar, "params": "bar", "baz])") == -32700);
    CHECK(code(R"({"foo": "boo"})") == -32600);
    CHECK(code("[]") == -32600);
    CHECK(code(R"({"jsonrpc": "2.0", "method": 1, "params": "bar"})") == -32600);
    CHECK(code(R"({"jsonrpc": "2.0", "method": "foobar", "id": "1"})") == -32601);
    CHECK(client.call(1, "echo", {{"text", "still here"}}).contains("result"));
  }

  TEST_CASE("ids are echoed as they came") {
    ToolServer host;
    Client client(host);
    for (const char* id : {"\"a\"", "0", "-7", "9007199254740993", "null", "1.5"}) {
      client.send(std::string(R"({"jsonrpc":"2.0","method":"ping","id":)") + id + "}");
      CHECK(client.next()["id"] == Json::parse(id));
    }
  }

  TEST_CASE("a message over the limit is refused and the next one is served") {
    ToolServer host;
    Client client(host);
    client.send(Client::kOversize);
    const Json answer = client.next();
    CHECK(answer["id"] == nullptr);
    CHECK(answer["error"]["code"] == -32600);
    CHECK(answer["error"]["message"] == "a message may have 4194304 bytes");
    CHECK(client.ask(1, "ping").contains("result"));
  }

  TEST_CASE("notifications and responses are never answered") {
    ToolServer host;
    Client client(host);
    client.notify("notifications/initialized");
    client.notify("notifications/unknown", {{"a", 1}});
    client.notify("tools/list");
    client.notify("notifications/cancelled");
    client.notify("notifications/cancelled", {{"requestId", Json::array()}});
    client.notify("notifications/cancelled", {{"requestId", 99}});
    client.send(R"({"jsonrpc":"2.0","id":5,"result":{}})");
    CHECK(client.quiet());
  }
}

TEST_SUITE("connection, view") {
  TEST_CASE("read-only shows and runs only what changes nothing") {
    ToolServer host;
    mcp::View view;
    view.read_only = true;
    Client client(host, view);
    CHECK(names(client.ask(1, "tools/list")["result"]) == Json{"echo", "wait", "report"});
    const Json error = client.call(2, "erase")["error"];
    CHECK(error["code"] == -32602);
    CHECK(error["message"] == R"(tool "erase" changes state and is not served read-only)");
  }

  TEST_CASE("a view of some tools") {
    ToolServer host;
    mcp::View view;
    view.tools = {"erase", "echo"};
    view.caller = "ada";
    Client client(host, view);
    CHECK(names(client.ask(1, "tools/list")["result"]) == Json{"echo", "erase"});
    CHECK(client.call(2, "fail")["error"]["message"] ==
          R"(tool "fail" is not among the tools served here)");
    Client other(host);
    CHECK(names(other.ask(1, "tools/list")["result"]).size() == 6);
  }

  TEST_CASE("a tool of another toolset is served when its toolset, all, or itself is asked for") {
    const auto tool = [](const char* name, const char* toolset) {
      mcp::Tool made;
      made.name = name;
      made.toolset = toolset;
      made.input_schema = R"({"type":"object"})";
      return made;
    };
    const auto registry = mcp::Registry::create({tool("look", "core"), tool("reset", "ops")});
    REQUIRE(registry.has_value());
    const auto served = [&registry](const char* name, mcp::View view) {
      return registry->choose(name, view).has_value();
    };
    mcp::View plain, ops, all, named;
    ops.toolsets = {"ops"};
    all.toolsets = {"all"};
    named.tools = {"reset"};
    CHECK(served("look", plain));
    CHECK_FALSE(served("reset", plain));
    CHECK(served("reset", ops));
    CHECK_FALSE(served("look", ops));
    CHECK((served("look", all) && served("reset", all)));
    CHECK((served("reset", named) && !served("look", named)));
    CHECK(registry->choose("reset", plain).error().message ==
          R"(tool "reset" is in the toolset "ops", which is not served here; )"
          "start with --toolsets core,ops");
  }

  TEST_CASE("a handler sees who asks and from where") {
    ToolServer host;
    mcp::View view;
    view.caller = "ada";
    view.working_directory = "/home/ada";
    using Map = std::map<std::string, std::string>;
    view.environment = std::make_shared<const Map>(Map{{"LANG", "C"}});
    Client client(host, view);
    const Json result = client.call(1, "report", {{"values", Json::array()}})["result"];
    CHECK(result["structuredContent"] == Json{{"wanted", false},
                                              {"caller", "ada"},
                                              {"directory", "/home/ada"},
                                              {"environment", {{"LANG", "C"}}}});
    Client other(host);
    const Json bare = other.call(1, "report", {{"values", Json::array()}})["result"];
    CHECK(!bare["structuredContent"].contains("environment"));
  }
}

TEST_SUITE("server") {
  TEST_CASE("tools that cannot be served are refused at the start") {
    asio::io_context io;
    Gate gate(io);
    const auto error = [&](auto change) {
      std::vector<mcp::Tool> tools = test_tools(gate);
      change(tools);
      const auto made = mcp::Server::create(io.get_executor(), {}, std::move(tools));
      REQUIRE(!made);
      return made.error().message;
    };
    CHECK(error([](auto& tools) { tools[1].name = "echo"; }) == "two tools are named \"echo\"");
    CHECK(
        error([](auto& tools) { tools[0].name = "no spaces"; }).starts_with("tool \"no spaces\""));
    CHECK(error([](auto& tools) {
            tools[0].input_schema = "{";
          }).starts_with("tool \"echo\", input schema: "));
    CHECK(error([](auto& tools) {
            tools[0].output_schema = "[]";
          }).starts_with("tool \"echo\", output schema: "));
  }
}
