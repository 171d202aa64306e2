#include "desk.h"

using mahavishnu::base::ErrorCode;
using mahavishnu::base::Millis;
using mahavishnu::base::WallTime;
using mahavishnu::domain::LogEntry;
using mahavishnu::domain::LogLevel;
using mahavishnu::rpc::Json;
using mahavishnu::support::Desk;
namespace base = mahavishnu::base;
namespace domain = mahavishnu::domain;

namespace {

LogEntry entry_with(std::string text) {
  LogEntry entry{WallTime{Millis{1700000000000}}, "log"};
  entry.text = std::move(text);
  return entry;
}

}  // namespace

TEST_SUITE("log_search") {
  TEST_CASE("an entry is shown with what it is about, a pool by its name") {
    Desk desk;
    LogEntry entry = entry_with("it exited with 3");
    entry.kind = "task_failed";
    entry.level = LogLevel::Warn;
    entry.task = domain::TaskId{{1, 2}};
    entry.workflow = domain::WorkflowId{{1, 3}};
    entry.pool = desk.world.service->pool("default")->record.id;
    entry.repo = "api";
    desk.log.page.items = {entry};
    const Json item = desk.ask("log_search")["items"][0];
    CHECK(item == Json{{"time", "2023-11-14T22:13:20.000Z"},
                       {"kind", "task_failed"},
                       {"level", "warn"},
                       {"text", "it exited with 3"},
                       {"task", entry.task.str()},
                       {"workflow", entry.workflow.str()},
                       {"pool", "default"},
                       {"repo", "api"}});
  }

  TEST_CASE("a pool that is gone is shown by its id, and what is not known is left out") {
    Desk desk;
    LogEntry entry = entry_with("");
    entry.pool = domain::PoolId{{7, 7}};
    desk.log.page.items = {entry};
    const Json item = desk.ask("log_search")["items"][0];
    CHECK(item["pool"] == entry.pool.str());
    for (const char* name : {"text", "task", "workflow", "repo"}) CHECK_FALSE(item.contains(name));
  }

  TEST_CASE("every filter arrives, a nickname as the name it stands for") {
    Desk desk;
    const domain::TaskId task{{1, 2}};
    const domain::WorkflowId workflow{{1, 3}};
    desk.ask("log_search", {{"query", "\"gpu\" 100%_ NEAR("},
                            {"level", "warn"},
                            {"task", task.str()},
                            {"workflow", workflow.str()},
                            {"pool", "default"},
                            {"repo", "a"},
                            {"since", "2026-01-01T00:00:00Z"},
                            {"until", "2026-01-01T00:00:00Z"},
                            {"limit", 7},
                            {"cursor", "e1.2"}});
    const domain::LogFilter& asked = desk.log.asked;
    CHECK(asked.query == "\"gpu\" 100%_ NEAR(");
    CHECK(asked.least == LogLevel::Warn);
    CHECK(asked.task == task);
    CHECK(asked.workflow == workflow);
    CHECK(asked.pool == desk.world.service->pool("default")->record.id);
    CHECK(asked.repo == "api");
    CHECK(asked.since == asked.until);
    CHECK(desk.log.asked_page.limit == 7);
    CHECK(desk.log.asked_page.cursor == "e1.2");
  }

  TEST_CASE("pages follow one another, and a search that stopped early says so") {
    Desk desk;
    desk.log.page.next_cursor = "e5.6";
    CHECK(desk.ask("log_search")["next_cursor"] == "e5.6");
    CHECK_FALSE(desk.ask("log_search").contains("truncated"));
    desk.log.page.cut_short = true;
    CHECK(desk.ask("log_search")["truncated"] == true);
  }

  TEST_CASE("a page too long for an answer is asked for again, shorter") {
    Desk desk;
    for (int i = 0; i < 50; ++i)
      desk.log.page.items.push_back(entry_with(std::string(3000, '\x01')));
    const Json answer = desk.ask("log_search", {{"limit", 50}});
    CHECK(answer["items"].size() < 10);
    CHECK(answer["items"].size() == static_cast<std::size_t>(desk.log.asked_page.limit));
  }

  TEST_CASE("what cannot be meant is refused with the way out, or meets nothing") {
    Desk desk;
    CHECK(desk.ask("log_search", {{"pool", "gone"}})["items"].empty());
    CHECK(desk.refused("log_search", {{"task", "task_x"}}).code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("log_search", {{"workflow", "task_x"}}).code == ErrorCode::InvalidArgument);
    CHECK(desk.refused("log_search", {{"query", std::string("a\0b", 3)}}).code ==
          ErrorCode::InvalidArgument);
    const auto turned = desk.refused(
        "log_search", {{"since", "2026-01-02T00:00:00Z"}, {"until", "2026-01-01T00:00:00Z"}});
    CHECK(turned.message.find("since is after until") != std::string::npos);
    CHECK(desk.schema_says("log_search", {{"level", "wrn"}}) != "");
  }

  TEST_CASE("the answer says whose it is, and an event of OpenSearch where it happened") {
    Desk desk;
    CHECK(desk.ask("log_search")["source"] == "local");
    CHECK(desk.ask("log_search", {{"pool", "gone"}})["source"] == "local");
    CHECK(desk.remote_log.times == 0);
    desk.remote_log.page.items = {entry_with("elsewhere")};
    desk.remote_log.page.items[0].node = "there";
    desk.remote_log.page.next_cursor = "o1.2.x";
    const Json answer = desk.ask("log_search", {{"source", "opensearch"}, {"level", "warn"}});
    CHECK(answer["source"] == "opensearch");
    CHECK(answer["items"][0]["node"] == "there");
    CHECK(answer["next_cursor"] == "o1.2.x");
    CHECK(desk.remote_log.asked.least == LogLevel::Warn);
    CHECK(desk.log.times == 1);
    CHECK(desk.schema_says("log_search", {{"source", "elastic"}}) != "");
  }

  TEST_CASE("a page of OpenSearch is kept for moments, and only for the same question") {
    Desk desk;
    const Json question{{"source", "opensearch"}, {"query", "a"}};
    desk.ask("log_search", question);
    desk.ask("log_search", question);
    CHECK(desk.remote_log.times == 1);
    desk.ask("log_search", {{"source", "opensearch"}, {"query", "a"}, {"cursor", "o1.2.x"}});
    desk.ask("log_search", {{"source", "opensearch"}, {"query", "b"}});
    desk.ask("log_search", {{"source", "opensearch"}, {"query", "a"}, {"limit", 7}});
    CHECK(desk.remote_log.times == 4);
    desk.world.timers.advance(Millis{5001});
    desk.ask("log_search", question);
    CHECK(desk.remote_log.times == 5);
  }

  TEST_CASE("OpenSearch's error is the answer's, and is not kept") {
    Desk desk;
    const Json question{{"source", "opensearch"}};
    desk.remote_log.fail_with = base::Error{ErrorCode::Unavailable, "its breaker is open"};
    CHECK(desk.refused("log_search", question).message == "its breaker is open");
    desk.remote_log.fail_with.reset();
    CHECK(desk.ask("log_search", question)["items"].empty());
  }

  TEST_CASE("the history's own error is the answer's") {
    Desk desk;
    desk.log.fail_with = base::Error{ErrorCode::Unavailable, "no history is kept"};
    CHECK(desk.refused("log_search", Json::object()).message == "no history is kept");
  }
}
