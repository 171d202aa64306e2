// What is said to Session Buddy, and what its answers mean.
#include "outbound/buddy_protocol.h"

#include <doctest/doctest.h>

using namespace mahavishnu;
using namespace mahavishnu::outbound;
using Kind = Verdict::Kind;

namespace {

domain::Memory memory_of_task() {
  domain::Memory memory;
  memory.id = domain::MemoryId{{0, 7}};
  memory.task = domain::TaskId{{0, 7}};
  memory.title = "make test";
  memory.text = "failed (exit_code 2) after 5 ms\n3 tests failed";
  memory.pool_name = "default";
  memory.repo = "api";
  memory.state = "failed";
  memory.exit_code = 2;
  memory.tags = {"team=core"};
  return memory;
}

BuddyTool tool(const char* name, std::set<std::string> takes = {}) {
  return {name, std::move(takes)};
}

Json listed(std::vector<const char*> names) {
  Json tools = Json::array();
  for (const char* name : names) tools.push_back({{"name", name}});
  return tools;
}

base::Result<net::HttpReply> http(int status, std::string body,
                                  std::string type = "application/json") {
  return net::HttpReply{status, {{"content-type", std::move(type)}}, std::move(body)};
}

Json text_result(const char* text, bool failed = false) {
  return {{"content", {{{"type", "text"}, {"text", text}}}}, {"isError", failed}};
}

Verdict judged(const char* text, bool failed = false) {
  return judge_tool({Kind::Accepted, "", text_result(text, failed)});
}

Kind kind_of(int status, const char* body = "", bool in_session = true) {
  return judge_rpc(http(status, body), 1, in_session).kind;
}

}  // namespace

TEST_SUITE("buddy tools") {
  TEST_CASE("the best tool that is there is taken, over all pages") {
    BuddyTools tools;
    choose(listed({"ping", "store_reflection", "quick_search"}), tools);
    CHECK(tools.store.name == "store_reflection");
    CHECK(tools.search.name == "quick_search");
    choose(listed({"fingerprint_search", "store_conversation"}), tools);
    CHECK(tools.store.name == "store_conversation");
    CHECK(tools.search.name == "fingerprint_search");
    choose(listed({"store_memory", "store_reflection"}), tools);
    CHECK(tools.store.name == "store_memory");
  }

  TEST_CASE("a list that is none chooses nothing") {
    BuddyTools tools;
    choose(Json{{"a", 1}}, tools);
    choose(Json{1, nullptr, Json{{"name", 5}}}, tools);
    CHECK_FALSE(static_cast<bool>(tools.store));
  }

  TEST_CASE("store_reflection gets what it is about as tags") {
    const Json arguments = store_arguments(tool("store_reflection"), memory_of_task());
    const auto tags = arguments["tags"].get<std::set<std::string>>();
    const auto id = domain::MemoryId{{0, 7}}.str();
    for (const std::string& tag :
         {std::string("pool:default"), std::string("status:failed"), std::string("repo:api"),
          "item:" + id, "task:" + domain::TaskId{{0, 7}}.str(), std::string("team=core")}) {
      CHECK_MESSAGE(tags.contains(tag), tag);
    }
    CHECK_FALSE(arguments.contains("metadata"));
  }

  TEST_CASE("store_memory and store_conversation get it as metadata") {
    const Json arguments = store_arguments(tool("store_conversation"), memory_of_task());
    CHECK(arguments["project"] == "api");
    CHECK(arguments["metadata"]["exit_code"] == 2);
    CHECK(arguments["metadata"]["status"] == "failed");
    CHECK(store_arguments(tool("store_memory"), memory_of_task())["metadata"]["pool"] == "default");
  }

  TEST_CASE("a tool is given only what its schema names") {
    BuddyTools tools;
    choose(Json{{{"name", "store_conversation"},
                 {"inputSchema", {{"properties", {{"content", Json::object()}}}}}}},
           tools);
    const Json arguments = store_arguments(tools.store, memory_of_task());
    CHECK(arguments.size() == 1);
    CHECK(arguments["content"].get<std::string>().starts_with("make test\n"));
  }

  TEST_CASE("content stays under 10,000 bytes, whole characters, and says where the rest is") {
    auto memory = memory_of_task();
    memory.text = "x";
    for (int i = 0; i < 6000; ++i) memory.text += "ü";
    const std::string content = store_arguments(tool("store_memory"), memory)["content"];
    CHECK(content.size() <= 10'000);
    CHECK(content == domain::plain_text(content));
    CHECK(content.find("mahavishnu://task/" + memory.task.str()) != std::string::npos);
    memory.title.assign(20'000, 'y');
    CHECK(store_arguments(tool("store_memory"), memory)["content"].get<std::string>().size() <=
          10'000);
  }

  TEST_CASE("the shortest memory still has the ten characters that are asked for") {
    domain::Memory memory;
    memory.id = domain::MemoryId{{0, 1}};
    memory.text = "x";
    CHECK(store_arguments(tool("store_memory"), memory)["content"].get<std::string>().size() >= 10);
  }
}

TEST_SUITE("buddy answers") {
  TEST_CASE("an answer is found in a document and in a stream of events") {
    const char* answer = R"({"jsonrpc":"2.0","id":3,"result":{"a":1}})";
    CHECK(find_answer("application/json; charset=utf-8", answer, 3)["result"]["a"] == 1);
    const std::string events = std::string(": ping\r\n\r\nevent: message\r\ndata: ") +
                               R"({"jsonrpc":"2.0","method":"notifications/message"})" +
                               "\r\n\r\nid: 5\r\ndata: " + answer + "\r\n\r\n";
    CHECK(find_answer("text/event-stream", events, 3)["result"]["a"] == 1);
    const char* split = "data: {\"jsonrpc\":\"2.0\",\"id\":3,\ndata: \"result\":{}}\n\n";
    CHECK_FALSE(find_answer("Text/Event-Stream", split, 3).is_null());
  }

  TEST_CASE("what is not the answer is none") {
    for (const char* body : {"", "null", "garbage", "[]", R"({"jsonrpc":"2.0","id":4,"result":{}})",
                             R"({"jsonrpc":"2.0","id":3})", R"({"id":3,"method":"ping"})"}) {
      CAPTURE(body);
      CHECK(find_answer("application/json", body, 3).is_null());
      CHECK(find_answer("text/event-stream", std::string("data: ") + body + "\n\n", 3).is_null());
    }
  }

  TEST_CASE("what the status says") {
    CHECK(kind_of(404) == Kind::Expired);
    CHECK(kind_of(404, "", false) == Kind::Trouble);
    CHECK(kind_of(400, "Bad Request: Missing session ID") == Kind::Expired);
    CHECK(kind_of(400, "bad content") == Kind::Refused);
    CHECK(kind_of(413) == Kind::Refused);
    for (const int status : {301, 307, 401, 403, 405, 406, 429, 500, 502, 503, 504}) {
      CAPTURE(status);
      CHECK(kind_of(status) == Kind::Trouble);
    }
    CHECK(kind_of(200, "garbage") == Kind::Trouble);
    CHECK(kind_of(200, R"({"jsonrpc":"2.0","id":1,"result":{}})") == Kind::Accepted);
    CHECK(kind_of(200, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32602,"message":"x"}})") ==
          Kind::Refused);
    CHECK(kind_of(200, R"({"jsonrpc":"2.0","id":1,"error":5})") == Kind::Trouble);
  }

  TEST_CASE("a redirect is told with where it leads") {
    auto reply = http(307, "");
    reply->headers.emplace_back("location", "http://other/mcp");
    CHECK(judge_rpc(reply, 1, true).error.find("http://other/mcp") != std::string::npos);
  }

  TEST_CASE("no answer is trouble, and being stopped is neither") {
    const base::Result<net::HttpReply> none = base::fail(base::ErrorCode::Deadline, "late");
    CHECK(judge_rpc(none, 1, true).kind == Kind::Trouble);
    CHECK(judge_rest(none).kind == Kind::Trouble);
    const base::Result<net::HttpReply> stopped = base::fail(base::ErrorCode::Cancelled, "stopped");
    CHECK(judge_rpc(stopped, 1, true).kind == Kind::Cancelled);
    CHECK(judge_rest(stopped).kind == Kind::Cancelled);
  }

  TEST_CASE("a failure that hides in text is one") {
    CHECK(judged("Stored. Conversation ID: 5").kind == Kind::Accepted);
    CHECK(judged("Reflection stored, no error").kind == Kind::Accepted);
    CHECK(judged("❌ Failed to store").kind == Kind::Refused);
    CHECK(judged("  Error storing reflection: locked").kind == Kind::Refused);
    CHECK(judged("error: x").kind == Kind::Refused);
    CHECK(judged("fine", true).kind == Kind::Refused);
    CHECK(judged("", true).error == "it refused without a word");
    CHECK(judged("Reflection tools not available. Install …").kind == Kind::Trouble);
    Json result = text_result("done");
    result["structuredContent"] = {{"success", false}};
    CHECK(judge_tool({Kind::Accepted, "", result}).kind == Kind::Refused);
  }

  TEST_CASE("a tool that is gone means that the list is old") {
    CHECK(judged("Unknown tool: store_memory", true).kind == Kind::Expired);
    CHECK(judge_tool({Kind::Refused, "Tool store_memory not found", {}}).kind == Kind::Expired);
    CHECK(judged("Tools were not found by the tests").kind == Kind::Accepted);
  }

  TEST_CASE("a shim's answer") {
    CHECK(judge_rest(http(200, R"({"ok":true})")).kind == Kind::Accepted);
    CHECK(judge_rest(http(200, R"("❌ no")")).kind == Kind::Refused);
    CHECK(judge_rest(http(200, R"({"error":"no"})")).kind == Kind::Refused);
    CHECK(judge_rest(http(200, R"({"result":{"isError":true}})")).kind == Kind::Refused);
    CHECK(judge_rest(http(200, "<html>")).kind == Kind::Trouble);
    CHECK(judge_rest(http(404, "")).kind == Kind::Trouble);
  }

  TEST_CASE("hits are read from structure, from JSON in text, and from text") {
    const Json found{{"success", true},
                     {"results",
                      {{{"id", "a"}, {"content", "make\nall"}, {"similarity", 0.9}},
                       {{"id", 5}, {"content", "x"}},
                       "garbage"}}};
    Json result = text_result("2 found");
    result["structuredContent"] = found;
    auto hits = hits_of(result, 10);
    REQUIRE(hits.size() == 2);
    CHECK(hits[0].id == "a");
    CHECK(hits[0].title == "make");
    CHECK(hits[0].score == doctest::Approx(0.9));
    CHECK(hits[1].id == "5");
    CHECK(hits_of(result, 1).size() == 1);
    CHECK(hits_of(text_result(found.dump().c_str()), 10).size() == 2);
    hits = hits_of(text_result("I found this"), 10);
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].snippet == "I found this");
    CHECK(hits_of(Json(), 10).empty());
  }
}

TEST_SUITE("events that grow") {
  TEST_CASE("each message is told once, however the bytes come") {
    const std::string body =
        "event: message\ndata: {\"id\":1}\n\n: a comment\n\nid: 7\ndata:{\"id\":\ndata: 2}\r\n\r\n"
        "data: nonsense\n\ndata: {\"id\":3}\n\n";
    for (const std::size_t step : {std::size_t{1}, std::size_t{7}, body.size()}) {
      EventReader reader;
      std::vector<int> ids;
      for (std::size_t size = 0; size < body.size() + step; size += step) {
        for (const Json& message : reader.take(std::string_view(body).substr(0, size))) {
          ids.push_back(message["id"].get<int>());
        }
      }
      CHECK(ids == std::vector<int>{1, 2, 3});
    }
  }

  TEST_CASE("lines end as the standard lets them, behind a byte order mark or none") {
    for (const std::string end : {"\n", "\r\n", "\r"}) {
      const std::string body =
          "\xEF\xBB\xBF"
          "data: {\"id\":" +
          end + "data:1}" + end + end + "data:{\"id\":2}" + end + end;
      for (std::size_t split = 0; split <= body.size(); ++split) {
        EventReader reader;
        auto messages = reader.take(std::string_view(body).substr(0, split));
        for (auto& message : reader.take(body)) messages.push_back(std::move(message));
        CHECK(Json(messages) == Json::parse(R"([{"id":1},{"id":2}])"));
      }
    }
  }

  TEST_CASE("a line of data that is empty is one, with a colon or without") {
    for (const std::string first : {"data\n", "data:\n", "data: \n"}) {
      CAPTURE(first);
      CHECK(EventReader().take(first + "data:{}\n\n").size() == 1);
      // What begins with an empty line does not begin with a byte order mark.
      CHECK(EventReader().take(first + "data:\xEF\xBB\xBF{}\n\n").empty());
      CHECK(EventReader().take(first + "\n").empty());
    }
    CHECK(EventReader().take("data\xC3\xA4:1\ndatab: {}\n\n").empty());
  }

  TEST_CASE("an event at the end need not be closed, but is only taken as the last") {
    const std::string body = "data: {\"id\":1}\n\ndata: {\"id\":2}";
    EventReader reader;
    CHECK(reader.take(body).size() == 1);
    const auto last = reader.take(body, true);
    REQUIRE(last.size() == 1);
    CHECK(last[0]["id"] == 2);
  }
}

TEST_SUITE("what a client of MCP says") {
  TEST_CASE("metadata is put beside the params of its era") {
    CHECK(with_metadata({{"a", 1}}, false) == Json{{"a", 1}});
    CHECK(with_metadata({{"a", 1}}, false, 5) == Json{{"a", 1}, {"_meta", {{"progressToken", 5}}}});
    const Json modern = with_metadata(Json::object(), true, 5);
    CHECK(modern["_meta"]["io.modelcontextprotocol/protocolVersion"] == kModern);
    CHECK(modern["_meta"]["progressToken"] == 5);
  }

  TEST_CASE("a revision that is not told is the one that was offered") {
    CHECK(agreed_version({{"protocolVersion", "2025-03-26"}}) == "2025-03-26");
    CHECK(agreed_version({{"protocolVersion", 7}}) == kOffered);
    CHECK(agreed_version(Json()) == kOffered);
    CHECK(speaks_modern({{"supportedVersions", {"2026-07-28"}}}));
    CHECK_FALSE(speaks_modern({{"supportedVersions", {"2027-01-01"}}}));
    CHECK_FALSE(speaks_modern({{"supportedVersions", "2026-07-28"}}));
  }

  TEST_CASE("errors that name an unknown tool are known by their words") {
    CHECK(names_unknown("Unknown tool: x"));
    CHECK(names_unknown("Tool x not found"));
    CHECK_FALSE(names_unknown("no such file"));
  }

  TEST_CASE("an error in the body of a status says more than the status") {
    const auto verdict = judge_rpc(
        http(400, R"({"jsonrpc":"2.0","id":1,"error":{"code":-32022,"message":"not served"}})"), 1,
        false);
    CHECK(verdict.kind == Kind::Refused);
    CHECK(verdict.rpc_code == -32022);
    CHECK(verdict.error == "it answered error -32022: not served");
  }
}
