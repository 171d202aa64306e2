// What a credential may do with tools: lists, refusals, at both doors.
#include <doctest/doctest.h>

#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

// Lets in what only reads, `calls` times.
class Readers final : public mcp::Permit {
 public:
  explicit Readers(int calls) : left_(calls) {}
  bool in_force() const override { return good; }
  bool shows(const mcp::Tool& tool) const override { return tool.effect == mcp::Effect::ReadOnly; }
  std::string_view list_class() const override { return "readers"; }
  base::Status admit(const mcp::Tool& tool, const Json& arguments) override {
    asked.push_back(tool.name + arguments.dump());
    if (!shows(tool)) return base::fail(base::ErrorCode::Denied, "this credential only reads");
    if (left_-- > 0) return {};
    return base::fail(base::ErrorCode::Exhausted, "too many calls", 1500);
  }
  std::string challenge(const mcp::Tool& tool) const override {
    return shows(tool) ? std::string() : way_in;
  }
  std::vector<std::string> asked;
  bool good = true;
  std::string way_in;

 private:
  int left_;
};

struct World {
  ToolServer host;
  std::shared_ptr<Readers> readers;
  mcp::View view;
  explicit World(int calls = 100) : readers(std::make_shared<Readers>(calls)) {
    view.permit = readers;
  }
  auto call(const char* body) {
    return host.http("POST", "/tools/call", {{"Content-Type", "application/json"}}, body, view);
  }
};

}  // namespace

TEST_SUITE("permit") {
  TEST_CASE("tools/list leaves out what may not be called, for this credential alone") {
    World world;
    Client bound(world.host, world.view);
    Client free(world.host);
    CHECK(free.ask(1, "tools/list")["result"]["tools"].size() == 6);
    CHECK(bound.ask(1, "tools/list")["result"]["tools"].size() == 3);
    CHECK(free.ask(2, "tools/list")["result"]["tools"].size() == 6);
    CHECK(world.readers->asked.empty());
  }

  TEST_CASE("a call that may not be made is a tool error, and 403 for scripts") {
    World world;
    Client client(world.host, world.view);
    const Json answer = client.call(1, "erase", {{"text", "x"}});
    CHECK(answer["result"]["isError"] == true);
    CHECK(answer["result"]["content"][0]["text"] == "this credential only reads");
    CHECK(world.call(R"({"name":"erase"})")->status == 403);
    CHECK(world.readers->asked == std::vector<std::string>{R"(erase{"text":"x"})", "erase{}"});
  }

  TEST_CASE("who can get a better credential is told which, over HTTP, at every door") {
    World world;
    world.readers->way_in = R"(Bearer error="insufficient_scope", scope="write")";
    const auto refused = [&](const auto& exchange) {
      CHECK(exchange->status == 403);
      CHECK(exchange->answer_header("WWW-Authenticate") == world.readers->way_in);
      CHECK(exchange->answer.find("only reads") != std::string::npos);
    };
    refused(world.call(R"({"name":"erase"})"));
    const Json params = {{"name", "erase"}, {"arguments", Json::object()}};
    const Json request = {
        {"jsonrpc", "2.0"}, {"id", 1}, {"method", "tools/call"}, {"params", modern(params)}};
    refused(world.host.http("POST", "/mcp",
                            {{"Content-Type", "application/json"},
                             {"Accept", "application/json, text/event-stream"},
                             {"MCP-Protocol-Version", "2026-07-28"},
                             {"Mcp-Method", "tools/call"},
                             {"Mcp-Name", "erase"}},
                            request.dump(), world.view));
    const auto bad = world.call(R"({"name":"echo","arguments":{"text":1}})");
    CHECK(bad->status == 400);
    CHECK(bad->answer_header("WWW-Authenticate").empty());
    Client client(world.host, world.view);  // not over HTTP: as ever
    CHECK(client.call(1, "erase", {{"text", "x"}})["result"]["isError"] == true);
  }

  TEST_CASE("it is asked once a call, before the arguments are checked; none that is not served") {
    World world;
    CHECK(world.call(R"({"name":"echo","arguments":{"text":1}})")->status == 400);
    CHECK(world.call(R"({"name":"echo","arguments":{"text":"kept"}})")->status == 200);
    CHECK(world.call(R"({"name":"echo","arguments":{"text":"x"}})")->status == 200);
    CHECK(world.readers->asked.size() == 3);
    CHECK(world.call(R"({"name":"nope"})")->status == 404);
    world.view.tools = {"wait"};
    CHECK(world.call(R"({"name":"erase"})")->status == 404);
    CHECK(world.readers->asked.size() == 3);
  }

  TEST_CASE("too many calls are told when to come again") {
    World world(1);
    CHECK(world.call(R"({"name":"echo","arguments":{"text":"x"}})")->status == 200);
    const auto refused = world.call(R"({"name":"echo","arguments":{"text":"kept"}})");
    CHECK(refused->status == 429);
    CHECK(refused->answer_header("Retry-After") == "2");
    Client client(world.host, world.view);
    CHECK(client.call(1, "echo", {{"text", "x"}})["result"]["content"][0]["text"] ==
          "too many calls; retry in 1500 ms");
  }
}
