// Questions to the client in the middle of a call: on the stream in the revisions with sessions, by
// rounds in 2026-07-28.
#include <doctest/doctest.h>

#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

Json with_capabilities(Json params, Json capabilities) {
  params = modern(std::move(params));
  params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = std::move(capabilities);
  return params;
}

const Json kForms{{"elicitation", Json::object()}};

// A call of `ask` in the modern era.
Json asking(std::vector<std::string> keys) {
  return with_capabilities({{"name", "ask"}, {"arguments", {{"keys", keys}}}}, kForms);
}

Json accepted(const char* text) { return {{"action", "accept"}, {"content", {{"said", text}}}}; }

Json keys_of(const Json& object) {
  Json out = Json::array();
  for (const auto& [key, value] : object.items()) out.push_back(key);
  return out;
}

void initialize(Client& client, Json capabilities) {
  client.ask("handshake", "initialize",
             {{"protocolVersion", "2025-11-25"}, {"capabilities", std::move(capabilities)}});
}

struct Host : ToolServer {
  explicit Host(mcp::ServerOptions options = defaults()) : ToolServer(std::move(options), true) {}
};

}  // namespace

TEST_SUITE("rounds, modern") {
  TEST_CASE("a question ends the round, and its answer is there in the next") {
    Host host;
    Client client(host);
    Json params = asking({"name"});
    const Json first = client.ask(1, "tools/call", params)["result"];
    CHECK(first["resultType"] == "input_required");
    CHECK(first["inputRequests"]["name"]["method"] == "elicitation/create");
    CHECK(first["inputRequests"]["name"]["params"]["message"] == "name");
    params["inputResponses"] = {{"name", accepted("Ada")}, {"unasked", 5}};
    params["requestState"] = first["requestState"];
    const Json last = client.ask(2, "tools/call", params)["result"];
    CHECK(last["resultType"] == "complete");
    CHECK(Json::parse(last["content"][0]["text"].get<std::string>()) == accepted("Ada"));
  }

  TEST_CASE("earlier answers travel in the state, once each") {
    Host host;
    Client client(host);
    Json params = asking({"a", "b", "c"});
    Json result = client.ask(1, "tools/call", params)["result"];
    for (const char* key : {"a", "b", "c"}) {
      CHECK(keys_of(result["inputRequests"]) == Json{key});
      params["inputResponses"] = {{key, accepted(key)}};
      params["requestState"] = result["requestState"];
      result = client.ask(2, "tools/call", params)["result"];
    }
    CHECK(result["content"].size() == 3);
    CHECK(result["resultType"] == "complete");
  }

  TEST_CASE("a missing or malformed answer is asked for again") {
    Host host;
    Client client(host);
    Json params = asking({"name"});
    for (const Json& answer :
         {Json{{"other", accepted("x")}}, Json{{"name", 12345}}, Json{{"name", Json::object()}},
          Json{{"name", {{"action", "maybe"}}}}, Json{{"name", {{"action", "accept"}}}}}) {
      CAPTURE(answer.dump());
      params["inputResponses"] = answer;
      CHECK(client.ask(1, "tools/call", params)["result"]["resultType"] == "input_required");
    }
    params["inputResponses"] = nullptr;
    CHECK(client.ask(2, "tools/call", params)["error"]["code"] == -32602);
  }

  TEST_CASE("a state that was changed, or belongs elsewhere, is refused") {
    Host host;
    Client client(host);
    Json params = asking({"a", "b"});
    const Json state = client.ask(1, "tools/call", params)["result"]["requestState"];
    params["requestState"] = state.get<std::string>() + "-TAMPERED";
    CHECK(client.ask(2, "tools/call", params)["error"]["code"] == -32602);
    Json other = asking({"a", "c"});
    other["requestState"] = state;
    CHECK(client.ask(3, "tools/call", other)["error"]["code"] == -32602);
    mcp::View view;
    view.caller = "somebody else";
    Client stranger(host, view);
    params["requestState"] = state;
    CHECK(stranger.ask(4, "tools/call", params)["error"]["code"] == -32602);
    CHECK(client.ask(5, "tools/call", params)["result"]["resultType"] == "input_required");
  }

  TEST_CASE("a client is asked only what it declared it can answer") {
    Host host;
    Client client(host);
    Json params = asking({"name"});
    params["arguments"]["roots"] = true;
    const Json error = client.ask(1, "tools/call", params)["error"];
    CHECK(error["code"] == -32021);
    CHECK(error["data"]["requiredCapabilities"] == Json{{"roots", Json::object()}});
    params = with_capabilities(params, {{"elicitation", {{"url", Json::object()}}}});
    params["arguments"]["roots"] = false;
    CHECK(client.ask(2, "tools/call", params)["error"]["code"] == -32021);
  }

  TEST_CASE("prompts ask, too") {
    Host host;
    Client client(host);
    Json params = with_capabilities({{"name", "interview"}}, kForms);
    const Json first = client.ask(1, "prompts/get", params)["result"];
    CHECK(keys_of(first["inputRequests"]) == Json{"topic"});
    params["inputResponses"] = {{"topic", accepted("x")}};
    params["requestState"] = first["requestState"];
    CHECK(client.ask(2, "prompts/get", params)["result"]["messages"].size() == 1);
  }
}

TEST_SUITE("rounds, legacy") {
  TEST_CASE("a question goes out, and its answer lets the call go on") {
    Host host;
    Client client(host);
    initialize(client, kForms);
    client.request(1, "tools/call", {{"name", "ask"}, {"arguments", {{"keys", {"a", "b"}}}}});
    for (const char* key : {"a", "b"}) {
      const Json question = client.next();
      CHECK(question["method"] == "elicitation/create");
      CHECK(question["params"]["message"] == key);
      client.send_json({{"jsonrpc", "2.0"}, {"id", question["id"]}, {"result", accepted(key)}});
    }
    const Json answer = client.next();
    CHECK(answer["id"] == 1);
    CHECK(answer["result"]["content"].size() == 2);
  }

  TEST_CASE("a refusal, a malformed answer and a missing capability are failures of the tool") {
    Host host;
    Client client(host);
    initialize(client, kForms);
    const Json params{{"name", "ask"}, {"arguments", {{"keys", {"a"}}}}};
    client.request(1, "tools/call", params);
    Json question = client.next();
    client.send_json({{"jsonrpc", "2.0"},
                      {"id", question["id"]},
                      {"error", {{"code", -1}, {"message", "no user is here"}}}});
    CHECK(client.next()["result"]["isError"] == true);
    client.request(2, "tools/call", params);
    question = client.next();
    client.send_json({{"jsonrpc", "2.0"}, {"id", question["id"]}, {"result", 5}});
    CHECK(client.next()["result"]["isError"] == true);
    Client plain(host);
    initialize(plain, Json::object());
    CHECK(plain.ask(3, "tools/call", params)["result"]["isError"] == true);
  }

  TEST_CASE("an answer nobody waits for, or of another client, changes nothing") {
    Host host;
    Client client(host);
    Client other(host);
    initialize(client, kForms);
    client.request(1, "tools/call", {{"name", "ask"}, {"arguments", {{"keys", {"a"}}}}});
    const Json question = client.next();
    const Json answer{{"jsonrpc", "2.0"}, {"id", question["id"]}, {"result", accepted("x")}};
    other.send_json(answer);
    client.send_json({{"jsonrpc", "2.0"}, {"id", "ask-99"}, {"result", accepted("x")}});
    CHECK(client.quiet());
    client.send_json(answer);
    CHECK(client.next()["id"] == 1);
    client.send_json(answer);
    CHECK(client.quiet());
  }

  TEST_CASE("a cancelled call waits no longer, and neither does one whose client is gone") {
    Host host;
    {
      Client client(host);
      initialize(client, kForms);
      const Json params{{"name", "ask"}, {"arguments", {{"keys", {"a"}}}}};
      client.request(1, "tools/call", params);
      client.next();
      client.notify("notifications/cancelled", {{"requestId", 1}});
      CHECK(client.quiet());
      client.request(2, "tools/call", params);
      client.next();
      client.send(Client::kEnd);
      CHECK(client.served());
    }
    CHECK(host.calls.size() == 2);
  }

  TEST_CASE("an answer that does not come ends the call when its time is over") {
    mcp::ServerOptions options = ToolServer::defaults();
    options.ask_time = base::Millis(0);
    Host host(options);
    Client client(host);
    initialize(client, kForms);
    client.request(1, "tools/call", {{"name", "ask"}, {"arguments", {{"keys", {"a"}}}}});
    const Json question = client.next();
    host.settle();
    const Json taken_back = client.next();
    CHECK(taken_back["method"] == "notifications/cancelled");
    CHECK(taken_back["params"]["requestId"] == question["id"]);
    CHECK(client.next()["result"]["isError"] == true);
  }

  TEST_CASE("in a batch nobody can be asked") {
    Host host;
    Client client(host);
    client.ask("handshake", "initialize",
               {{"protocolVersion", "2025-03-26"}, {"capabilities", kForms}});
    client.send(R"([{"jsonrpc":"2.0","id":1,"method":"tools/call",
                     "params":{"name":"ask","arguments":{"keys":["a"]}}}])");
    CHECK(client.next()[0]["result"]["isError"] == true);
  }

  TEST_CASE("scripts cannot be asked, and who asks nothing gets no answers") {
    Host host;
    const auto call = [&host](const char* keys) {
      return host.http("POST", "/tools/call", {{"Content-Type", "application/json"}},
                       R"({"name":"ask","arguments":{"keys":)" + std::string(keys) + "}}");
    };
    CHECK(call(R"(["a"])")->status == 503);
    CHECK(call("[]")->json()["content"].empty());
  }
}
