#include <doctest/doctest.h>

#include "app/tool_attempt.h"
#include "app/tool_result.h"
#include "domain/records.h"

namespace mahavishnu::app {
namespace {

using outbound::Verdict;
using rpc::Json;

Json text(const char* words) { return {{"type", "text"}, {"text", words}}; }

ToolOutcome outcome(const Json& result) { return outcome_of(result, "http://host/mcp", "search"); }

bool says(const ToolOutcome& outcome, const char* words) {
  return outcome.report.message.find(words) != std::string::npos;
}

}  // namespace

TEST_SUITE("tool result") {
  TEST_CASE("text is the output, part by part, and structure is beside it") {
    const auto got = outcome({{"content", {text("one"), text("two\n"), text("three")}},
                              {"structuredContent", {{"n", 3}}}});
    CHECK(got.exit_code == ToolOutcome::kDone);
    CHECK(got.output == "one\ntwo\nthree");
    CHECK(got.report.structured == R"({"n":3})");
    CHECK(got.report.message == "");
  }

  TEST_CASE("structure without text is the output as well") {
    const auto got = outcome({{"content", Json::array()}, {"structuredContent", {{"n", 3}}}});
    CHECK(got.output == R"({"n":3})");
    CHECK(got.report.structured == R"({"n":3})");
  }

  TEST_CASE("structure that is too large is left out, said, and in the output once") {
    const Json large{{"x", std::string(domain::kMostStructured, 'y')}};
    const auto bare = outcome({{"content", {text("short")}}, {"structuredContent", large}});
    CHECK(bare.report.structured == "");
    CHECK(says(bare, "result.structured is left out: it has 16392 bytes, at most 16384"));
    CHECK(bare.output == "short\n" + large.dump());
    const auto same =
        outcome({{"content", {text(large.dump().c_str())}}, {"structuredContent", large}});
    CHECK(same.output == large.dump());
  }

  TEST_CASE("what is no text is told by kind, type and size") {
    const auto got = outcome(
        {{"content",
          {{{"type", "image"}, {"mimeType", "image/png"}, {"data", "QUJDRA=="}},
           {{"type", "audio"}, {"mimeType", "audio/wav"}, {"data", "QUJD"}},
           {{"type", "resource"}, {"resource", {{"uri", "file:///a"}, {"blob", "QUI="}}}},
           {{"type", "resource"},
            {"resource", {{"uri", "file:///b"}, {"mimeType", "text/plain"}, {"text", "words"}}}},
           {{"type", "resource_link"}, {"uri", "file:///c"}, {"name", "c"}},
           {{"type", "smell"}},
           7}}});
    CHECK(
        got.output ==
        "[image: image/png, 4 bytes]\n[audio: audio/wav, 3 bytes]\n[resource file:///a: 2 bytes]\n"
        "[resource file:///b: text/plain, 5 bytes]\nwords\n[resource_link file:///c c]\n"
        "[content of type \"smell\": 16 bytes]\n[content that is no object]");
  }

  TEST_CASE("a tool that failed is exit code 1, in its own words") {
    const auto got = outcome({{"content", {text("no disk")}}, {"isError", true}});
    CHECK(got.exit_code == ToolOutcome::kToolFailed);
    CHECK(got.report.message == "no disk");
    CHECK(got.output == "no disk");
    CHECK(says(outcome({{"content", Json::array()}, {"isError", true}}), "without a word"));
  }

  TEST_CASE("answers that are no results are no success") {
    CHECK(outcome(Json()).exit_code == ToolOutcome::kNoAnswer);
    CHECK(outcome({{"a", 1}}).exit_code == ToolOutcome::kNoAnswer);
    const auto more = outcome({{"resultType", "input_required"}, {"content", Json::array()}});
    CHECK(more.exit_code == ToolOutcome::kRefused);
    CHECK(says(more, "input_required"));
    CHECK(outcome({{"content", "text"}}).output == "");
  }

  TEST_CASE("a call that came to none says who, what and why") {
    const Verdict gone{Verdict::Kind::Trouble, "it is gone"};
    const auto none = outcome_of(gone, "srv", "search", {});
    CHECK(none.exit_code == ToolOutcome::kNoAnswer);
    CHECK(none.report.message == "tool \"search\" of srv: it is gone");
    const Verdict refused{Verdict::Kind::Refused, "bad arguments", {}, -32602};
    CHECK(outcome_of(refused, "srv", "search", {"search"}).exit_code == ToolOutcome::kRefused);
    CHECK(outcome_of(refused, "srv", "serch", {"search", "store"}).report.message ==
          "srv has no tool \"serch\"; did you mean \"search\"?");
    CHECK(says(outcome_of(refused, "srv", "zzz", {"search", "store"}), "its 2 tools"));
  }
}

TEST_SUITE("what a tool tells meanwhile") {
  TEST_CASE("progress and log messages are lines, the rest is silent") {
    const auto line = [](const char* method, Json params) {
      return line_of({{"method", method}, {"params", std::move(params)}});
    };
    CHECK(line("notifications/progress",
               {{"progress", 3}, {"total", 10.0}, {"message", "in\ndexing"}}) ==
          "progress 3/10: in dexing\n");
    CHECK(line("notifications/progress", {{"progress", 0.5}}) == "progress 0.5\n");
    CHECK(line("notifications/progress", {{"progress", "x"}}) == "");
    CHECK(line("notifications/message",
               {{"level", "warning"}, {"logger", "db"}, {"data", {{"free", 1}}}}) ==
          "[warning] db: {\"free\":1}\n");
    CHECK(line("notifications/message", {{"level", "info"}, {"data", "hello"}}) ==
          "[info] hello\n");
    CHECK(line("notifications/tools/list_changed", Json::object()) == "");
    CHECK(line_of({{"method", "notifications/progress"}}) == "");
    CHECK(line("notifications/message", {{"level", "info"}, {"data", std::string(9000, 'x')}})
              .size() < 2100);
  }
}

TEST_SUITE("what is to be called") {
  TEST_CASE("one server, a tool and an object of arguments") {
    const auto order =
        read_tool_order(R"({"command":["npx","x"],"tool":"search","arguments":{"q":1}})");
    REQUIRE(order.has_value());
    CHECK(order->server.command == std::vector<std::string>{"npx", "x"});
    CHECK(order->tool == "search");
    CHECK(order->arguments == Json{{"q", 1}});
  }

  TEST_CASE("anything else is refused") {
    for (const char* text :
         {"", "7", "{}", R"({"tool":"x","arguments":{}})", R"({"url":"http://h","tool":"x"})",
          R"({"url":"http://h","command":["x"],"tool":"x","arguments":{}})",
          R"({"url":"http://h","tool":"x","arguments":[]})"}) {
      CHECK_MESSAGE(!read_tool_order(text).has_value(), text);
    }
  }
}

}  // namespace mahavishnu::app
