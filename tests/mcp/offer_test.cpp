// Resources, prompts, completions, pages and content on a connection, per revision.
#include <doctest/doctest.h>

#include "base/base64.h"
#include "tool_server.h"

using namespace mahavishnu;
using namespace mahavishnu::mcp_test;

namespace {

struct Host {
  explicit Host(std::size_t page_size = 100) : server(options(page_size), true) {}
  static mcp::ServerOptions options(std::size_t page_size) {
    mcp::ServerOptions out = ToolServer::defaults();
    out.page_size = page_size;
    return out;
  }
  ToolServer server;
};

int code_of(const Json& answer) {
  return answer.contains("error") ? answer["error"]["code"].get<int>() : 0;
}

Json names_of(const Json& list, const char* key) {
  Json out = Json::array();
  for (const Json& item : list) out.push_back(item[key]);
  return out;
}

Json completion(const char* type, const char* key, const char* target, const char* argument,
                const char* value) {
  return {{"ref", {{"type", type}, {key, target}}},
          {"argument", {{"name", argument}, {"value", value}}}};
}

}  // namespace

TEST_SUITE("offer, capabilities") {
  TEST_CASE("what a server has not is neither declared nor there") {
    ToolServer host;
    Client client(host);
    CHECK(client.initialize("2025-11-25")["capabilities"] == Json{{"tools", Json::object()}});
    for (const char* method :
         {"resources/list", "resources/read", "resources/templates/list", "prompts/list",
          "prompts/get", "completion/complete", "logging/setLevel", "resources/subscribe"}) {
      CAPTURE(method);
      CHECK(code_of(client.ask(1, method, Json::object())) == -32601);
      CHECK(code_of(client.ask(2, method, modern())) == -32601);
    }
    CHECK(code_of(client.ask(3, "subscriptions/listen", modern())) == -32601);
  }

  TEST_CASE("what it has is declared in both eras") {
    Host host;
    Client client(host.server);
    const Json yes{{"listChanged", true}};
    Json declared{{"completions", Json::object()},
                  {"logging", Json::object()},
                  {"prompts", yes},
                  {"resources", {{"listChanged", true}, {"subscribe", true}}},
                  {"tools", yes}};
    CHECK(client.ask(1, "server/discover", modern())["result"]["capabilities"] == declared);
    CHECK(client.initialize("2025-11-25")["capabilities"] == declared);
    declared.erase("completions");
    Client old(host.server);
    CHECK(old.initialize("2024-11-05")["capabilities"] == declared);
  }

  TEST_CASE("methods of the other era are unknown") {
    Host host;
    Client client(host.server);
    for (const char* method :
         {"logging/setLevel", "resources/subscribe", "resources/unsubscribe"}) {
      CHECK(code_of(client.ask(1, method, modern())) == -32601);
    }
    CHECK(code_of(client.ask(2, "subscriptions/listen", Json::object())) == -32601);
  }
}

TEST_SUITE("offer, resources") {
  TEST_CASE("are listed with what the revision has") {
    Host host;
    Client client(host.server);
    Json one = client.ask(1, "resources/list", modern())["result"]["resources"][0];
    CHECK(one == Json{{"uri", "test://text"},
                      {"name", "resource test://text"},
                      {"title", "Title of test://text"},
                      {"mimeType", "text/plain"},
                      {"size", 5}});
    client.initialize("2024-11-05");
    one = client.ask(2, "resources/list")["result"]["resources"][0];
    CHECK_FALSE(one.contains("title"));
  }

  TEST_CASE("are read as text or bytes") {
    Host host;
    Client client(host.server);
    Json result = client.ask(1, "resources/read", modern({{"uri", "test://text"}}))["result"];
    CHECK(result["contents"] == Json::parse(R"([{"uri":"test://text","mimeType":"text/plain",
                                                 "text":"plain"}])"));
    CHECK(result["ttlMs"] == 0);
    CHECK(result["cacheScope"] == "private");
    CHECK(result["resultType"] == "complete");
    result = client.ask(2, "resources/read", {{"uri", "test://bytes"}})["result"];
    CHECK(result["contents"][0]["blob"] == base::encode_base64("\xFF\x01"));
    CHECK_FALSE(result.contains("ttlMs"));
  }

  TEST_CASE("a template reads what its URI names") {
    Host host;
    Client client(host.server);
    const Json result =
        client.ask(1, "resources/read", modern({{"uri", "test://item/2"}}))["result"];
    CHECK(result["contents"][0]["text"] == "item 2");
    CHECK(result["ttlMs"] == 5000);
    const Json list = client.ask(2, "resources/templates/list", modern())["result"];
    CHECK(names_of(list["resourceTemplates"], "uriTemplate") == Json{"test://item/{id}"});
    CHECK(list["cacheScope"] == "private");
  }

  TEST_CASE("one that is not there is an error of its era, with its URI") {
    Host host;
    Client client(host.server);
    for (const char* uri : {"test://none", "test://item/9", "test://item/empty"}) {
      CAPTURE(uri);
      const Json now = client.ask(1, "resources/read", modern({{"uri", uri}}));
      CHECK(code_of(now) == -32602);
      CHECK(now["error"]["data"] == Json{{"uri", uri}});
      const Json then = client.ask(2, "resources/read", {{"uri", uri}});
      CHECK(code_of(then) == -32002);
      CHECK(then["error"]["data"] == Json{{"uri", uri}});
    }
    CHECK(code_of(client.ask(3, "resources/read", modern({{"uri", "test://item/broken"}}))) ==
          -32603);
    CHECK(code_of(client.ask(4, "resources/read", modern())) == -32602);
    CHECK(code_of(client.ask(5, "resources/read", modern({{"uri", 5}}))) == -32602);
    CHECK(code_of(client.ask(6, "resources/read", {{"uri", ""}})) == -32602);
  }

  TEST_CASE("reading may wait, and be cancelled") {
    Host host;
    Client client(host.server);
    client.request(1, "resources/read", {{"uri", "test://late"}});
    client.request(2, "resources/read", {{"uri", "test://late"}});
    CHECK(client.quiet());
    client.notify("notifications/cancelled", {{"requestId", 1}});
    CHECK(host.server.gate.cancelled == 1);
    CHECK(client.quiet());
    host.server.gate.open();
    host.server.settle();
    CHECK(client.next()["result"]["contents"][0]["text"] == "late");
    CHECK(client.quiet());
  }
}

TEST_SUITE("offer, prompts") {
  TEST_CASE("are listed with their arguments") {
    Host host;
    Client client(host.server);
    const Json prompts = client.ask(1, "prompts/list", modern())["result"]["prompts"];
    CHECK(names_of(prompts, "name") == Json{"greet", "interview"});
    CHECK(prompts[0]["arguments"][0] == Json{{"name", "whom"},
                                             {"title", "Whom"},
                                             {"description", "Who is greeted"},
                                             {"required", true}});
    CHECK_FALSE(prompts[1].contains("arguments"));
    client.initialize("2025-03-26");
    CHECK_FALSE(client.ask(2, "prompts/list")["result"]["prompts"][0].contains("title"));
  }

  TEST_CASE("are got with their arguments") {
    Host host;
    Client client(host.server);
    const Json params{{"name", "greet"}, {"arguments", {{"whom", "Ada"}}}};
    const Json result = client.ask(1, "prompts/get", params)["result"];
    CHECK(result["description"] == "Says hello");
    CHECK(result["messages"] == Json::parse(R"([
        {"role":"user","content":{"type":"text","text":"Greet Ada"}},
        {"role":"assistant","content":{"type":"text","text":"Hello"}}])"));
  }

  TEST_CASE("wrong names and arguments are -32602") {
    Host host;
    Client client(host.server);
    for (const Json& params :
         {Json::object(), Json{{"name", "gret"}}, Json{{"name", "greet"}},
          Json{{"name", "greet"}, {"arguments", {{"whom", 5}}}},
          Json{{"name", "greet"}, {"arguments", Json::array()}},
          Json{{"name", "greet"}, {"arguments", {{"whom", "a"}, {"who", "b"}}}}}) {
      CAPTURE(params.dump());
      CHECK(code_of(client.ask(1, "prompts/get", params)) == -32602);
      CHECK(code_of(client.ask(2, "prompts/get", modern(params))) == -32602);
    }
    CHECK(client.ask(3, "prompts/get", {{"name", "gret"}})["error"]["message"] ==
          R"(unknown prompt "gret"; did you mean "greet"?)");
  }
}

TEST_SUITE("offer, completions") {
  TEST_CASE("tell at most a hundred, and how many there are") {
    Host host;
    Client client(host.server);
    const Json params = completion("ref/prompt", "name", "greet", "whom", "A");
    const Json found = client.ask(1, "completion/complete", params)["result"]["completion"];
    CHECK(found["values"].size() == 100);
    CHECK(found["values"][0] == "A0");
    CHECK(found["total"] == 150);
    CHECK(found["hasMore"] == true);
  }

  TEST_CASE("know what is settled, and complete templates too") {
    Host host;
    Client client(host.server);
    Json params = completion("ref/resource", "uri", "test://item/{id}", "id", "");
    params["context"] = {{"arguments", {{"style", "formal"}}}};
    const Json found = client.ask(1, "completion/complete", modern(params))["result"];
    CHECK(found["completion"] == Json{{"values", {"settled"}}, {"total", 1}, {"hasMore", false}});
    CHECK(found["resultType"] == "complete");
  }

  TEST_CASE("of what there is not are -32602, and of what nobody completes empty") {
    Host host;
    Client client(host.server);
    for (const Json& params : {Json::object(), completion("ref/prompt", "name", "none", "whom", ""),
                               completion("ref/prompt", "name", "greet", "none", ""),
                               completion("ref/resource", "uri", "test://item/{id}", "none", ""),
                               completion("ref/resource", "uri", "test://none/{id}", "id", ""),
                               completion("ref/tool", "name", "echo", "text", "")}) {
      CAPTURE(params.dump());
      CHECK(code_of(client.ask(1, "completion/complete", params)) == -32602);
    }
    const Json params = completion("ref/resource", "uri", "test://text", "id", "");
    CHECK(client.ask(2, "completion/complete", params)["result"]["completion"]["values"].empty());
  }
}

TEST_SUITE("offer, pages") {
  TEST_CASE("every list is paged, and its pages hold everything once") {
    Host host(2);
    Client client(host.server);
    const std::vector<std::pair<const char*, const char*>> lists{
        {"tools/list", "tools"}, {"resources/list", "resources"}, {"prompts/list", "prompts"}};
    for (const auto& [method, member] : lists) {
      CAPTURE(method);
      std::vector<std::string> names;
      Json params = Json::object();
      while (true) {
        const Json result = client.ask(1, method, modern(params))["result"];
        for (const Json& item : result[member]) names.push_back(item["name"].get<std::string>());
        if (!result.contains("nextCursor")) break;
        CHECK(result[member].size() == 2);
        params = {{"cursor", result["nextCursor"]}};
      }
      CHECK(names.size() == (std::string(member) == "tools"       ? 8
                             : std::string(member) == "resources" ? 3
                                                                  : 2));
    }
  }

  TEST_CASE("a cursor belongs to its list") {
    Host host(2);
    Client client(host.server);
    const Json next = client.ask(1, "tools/list", modern())["result"]["nextCursor"];
    CHECK(client.ask(2, "tools/list", modern({{"cursor", next}}))["result"]["tools"].size() == 2);
    for (const char* method : {"resources/list", "resources/templates/list", "prompts/list"}) {
      CHECK(code_of(client.ask(3, method, modern({{"cursor", next}}))) == -32602);
    }
  }
}

TEST_SUITE("offer, content of tools") {
  TEST_CASE("blocks, structure and failures") {
    Host host;
    Client client(host.server);
    Json result = client.call(1, "show")["result"];
    CHECK(result["content"] == Json::parse(R"([{"type":"text","text":"shown"},
        {"type":"image","data":"cG5n","mimeType":"image/png"}])"));
    CHECK(result["structuredContent"] == Json{{"shown", 2}});
    CHECK(result["isError"] == false);
    client.initialize("2025-03-26");
    result = client.call(2, "show")["result"];
    CHECK_FALSE(result.contains("structuredContent"));
  }

  TEST_CASE("a script gets the members of the result") {
    Host host;
    const auto exchange =
        host.server.http("POST", "/tools/call", {{"Content-Type", "application/json"}},
                         R"({"name":"show","arguments":{}})");
    CHECK(exchange->status == 200);
    CHECK(exchange->json()["structuredContent"] == Json{{"shown", 2}});
  }
}

TEST_SUITE("offer, messages") {
  TEST_CASE("go to a legacy client from the level it set") {
    Host host;
    Client client(host.server);
    client.initialize("2025-11-25");
    const Json all{{"log", {"debug", "info", "error"}}};
    client.call(1, "show", all);
    CHECK(client.ask(2, "logging/setLevel", {{"level", "info"}})["result"] == Json::object());
    client.request(3, "tools/call", {{"name", "show"}, {"arguments", all}});
    CHECK(client.pending() == 3);
    const Json first = client.next();
    CHECK(first["method"] == "notifications/message");
    CHECK(first["params"] ==
          Json{{"level", "info"}, {"logger", "show"}, {"data", {{"named", "info"}}}});
    CHECK(client.next()["params"]["level"] == "error");
    CHECK(client.next()["id"] == 3);
    CHECK(code_of(client.ask(4, "logging/setLevel", {{"level", "loud"}})) == -32602);
    CHECK(code_of(client.ask(5, "logging/setLevel", Json::object())) == -32602);
  }

  TEST_CASE("go to a modern client only where the request asks") {
    Host host;
    Client client(host.server);
    Json params = modern({{"name", "show"}, {"arguments", {{"log", {"info", "alert"}}}}});
    CHECK(client.ask(1, "tools/call", params).contains("result"));
    params["_meta"]["io.modelcontextprotocol/logLevel"] = "error";
    client.request(2, "tools/call", params);
    CHECK(client.pending() == 2);
    CHECK(client.next()["params"]["level"] == "alert");
    CHECK(client.next()["id"] == 2);
    params["_meta"]["io.modelcontextprotocol/logLevel"] = "loud";
    CHECK(code_of(client.ask(3, "tools/call", params)) == -32602);
  }

  TEST_CASE("beyond what is kept they are dropped, the reply never") {
    Host host;
    Client client(host.server);
    client.ask(1, "logging/setLevel", {{"level", "debug"}});
    client.request(2, "tools/call",
                   {{"name", "show"}, {"arguments", {{"log", Json(300, "info")}}}});
    std::size_t messages = 0;
    Json last = client.next();
    for (; last.contains("method"); last = client.next()) ++messages;
    CHECK(messages >= 256);
    CHECK(messages < 300);
    CHECK(last["id"] == 2);
  }
}
