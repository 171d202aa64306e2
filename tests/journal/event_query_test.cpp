#include "journal/event_query.h"

#include <doctest/doctest.h>

#include <future>

#include "journal/event_log.h"
#include "journal/schema.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using domain::LogEntry;
using domain::LogFilter;
using domain::LogLevel;
using domain::LogPage;
using journal::Database;

// A history that was written, and one connection that reads it.
class History {
 public:
  explicit History(std::vector<LogEntry> entries) {
    auto made = journal::open_migrated(directory_.path(), journal::kEventsSchema, "NORMAL");
    REQUIRE(made);
    auto log =
        journal::EventLog::open(std::move(*made), std::nullopt, {.now = [] { return at(0); }});
    REQUIRE(log);
    (*log)->add(std::move(entries));
    (*log)->stop();
    auto reader = Database::open(directory_.path() / "events.db", Database::Mode::ReadOnly);
    REQUIRE(reader);
    database = std::move(*reader);
  }

  LogPage find(const LogFilter& filter, const Page& page = {}, int looks = journal::kMostLooks) {
    auto found = journal::find_entries(database, filter, page, looks);
    REQUIRE(found);
    return std::move(*found);
  }
  // The texts of all pages of this size, each page after a bar.
  std::string texts(const LogFilter& filter, int limit = 50, int looks = journal::kMostLooks) {
    std::string all;
    Page page{limit, ""};
    do {
      const LogPage found = find(filter, page, looks);
      for (const auto& entry : found.items) all += entry.text;
      page.cursor = found.next_cursor;
      all += "|";
    } while (!page.cursor.empty());
    return all;
  }

 private:
  TempDirectory directory_;

 public:
  Database database;
};

LogEntry entry(std::int64_t ms, std::string text, LogLevel level = LogLevel::Info) {
  LogEntry made{at(ms), "log"};
  made.level = level;
  made.text = std::move(text);
  return made;
}

std::string plan(Database& database, const LogFilter& filter) {
  auto rows = database.prepare("EXPLAIN QUERY PLAN " + journal::entries_select(filter));
  REQUIRE(rows);
  std::string all;
  while (*rows->step()) all += std::string(rows->text(3)) + "\n";
  return all;
}

}  // namespace

TEST_SUITE("log_search in events.db") {
  TEST_CASE("newest first by time, then by arrival, page after page") {
    History history({entry(2, "b"), entry(1, "a"), entry(3, "d"), entry(2, "c"), entry(4, "e")});
    CHECK(history.texts({}) == "edcba|");
    CHECK(history.texts({}, 2) == "ed|cb|a|");
    CHECK(history.texts({}, 5) == "edcba|");
  }

  TEST_CASE("every filter, alone and together") {
    Ids ids;
    std::vector<LogEntry> all{entry(1, "a", LogLevel::Debug), entry(2, "b", LogLevel::Warn),
                              entry(3, "c", LogLevel::Error), entry(4, "d")};
    all[0].task = all[1].task = ids.next<TaskId>();
    all[1].workflow = all[2].workflow = ids.next<WorkflowId>();
    all[2].pool = all[3].pool = ids.next<PoolId>();
    all[0].repo = all[3].repo = "api";
    History history(all);
    CHECK(history.texts({.task = all[0].task}) == "ba|");
    CHECK(history.texts({.workflow = all[1].workflow}) == "cb|");
    CHECK(history.texts({.pool = all[2].pool}) == "dc|");
    CHECK(history.texts({.repo = "api"}) == "da|");
    CHECK(history.texts({.least = LogLevel::Info}) == "dcb|");
    CHECK(history.texts({.least = LogLevel::Warn}) == "cb|");
    CHECK(history.texts({.least = LogLevel::Error}) == "c|");
    CHECK(history.texts({.since = at(2), .until = at(3)}) == "cb|");
    CHECK(history.texts({.query = "B"}) == "b|");
    CHECK(history.texts({.least = LogLevel::Warn, .task = all[0].task}) == "b|");
    CHECK(history.texts({.least = LogLevel::Warn, .pool = all[2].pool, .repo = "api"}) == "|");
    CHECK(history.texts({.task = ids.next<TaskId>()}) == "|");
  }

  TEST_CASE("an entry is read as it was written") {
    Ids ids;
    LogEntry one = entry(5, std::string("a\0 \xFF'\"%_", 8), LogLevel::Trace);
    one.kind = "task_failed";
    one.task = ids.next<TaskId>();
    one.workflow = ids.next<WorkflowId>();
    one.pool = ids.next<PoolId>();
    one.repo = "api";
    History history({one});
    const LogEntry read = history.find({}).items.at(0);
    CHECK(read.time == one.time);
    CHECK(read.kind == one.kind);
    CHECK(read.level == one.level);
    CHECK(read.text == one.text);
    CHECK(read.task == one.task);
    CHECK(read.workflow == one.workflow);
    CHECK(read.pool == one.pool);
    CHECK(read.repo == one.repo);
  }

  TEST_CASE("a search for what is rare looks at so much a page, says so, and goes on behind it") {
    std::vector<LogEntry> all(100, entry(1, "-"));
    all.front().text = "rare";
    History history(all);
    const LogPage first = history.find({.query = "rare"}, {}, 60);
    CHECK(first.items.empty());
    CHECK(first.cut_short);
    const LogPage second = history.find({.query = "rare"}, {50, first.next_cursor}, 60);
    CHECK(second.items.size() == 1);
    CHECK_FALSE(second.cut_short);
    CHECK(second.next_cursor.empty());
  }

  TEST_CASE("a page that is full is not called cut short, and misses nothing after it") {
    std::vector<LogEntry> all;
    for (int i = 0; i < 50; ++i) all.push_back(entry(i, i % 10 == 0 ? "x" : "-"));
    History history(all);
    CHECK_FALSE(history.find({.query = "x"}, {1, ""}, 15).cut_short);
    CHECK(history.texts({.query = "x"}, 1, 15) == "x|x|x|x|x|");
    CHECK(history.texts({.query = "x"}, 2, 7).find_first_not_of("x|") == std::string::npos);
  }

  TEST_CASE(
      "what is no cursor is refused with the way out, what is one is bound and never trusted") {
    History history({entry(1, "a")});
    for (const char* cursor : {"x", "e", "e1", "e1.", "e1.x", "1.1", "e1.1 ", "e1.1;--",
                               "e99999999999999999999.1", "n1.2.3"}) {
      CAPTURE(cursor);
      const auto page = journal::find_entries(history.database, {}, {50, cursor});
      REQUIRE_FALSE(page);
      CHECK(page.error().code == base::ErrorCode::InvalidArgument);
      CHECK(page.error().message.find("next_cursor") != std::string::npos);
    }
    CHECK(history.find({}, {50, "e-5.-5"}).items.empty());
    CHECK_FALSE(journal::find_entries(history.database, {}, {0, ""}));
  }

  TEST_CASE("each filter finds its rows by an index, in the order of the answer") {
    Ids ids;
    History history({});
    const std::pair<LogFilter, const char*> expected[] = {
        {{}, "events_time (time>? AND time<?)"},
        {{.since = at(1), .until = at(2)}, "events_time (time>? AND time<?)"},
        {{.query = "word", .least = LogLevel::Debug}, "events_time (time>? AND time<?)"},
        {{.task = ids.next<TaskId>()}, "events_task (task=? AND time>? AND time<?)"},
        {{.workflow = ids.next<WorkflowId>()},
         "events_workflow (workflow=? AND time>? AND time<?)"},
        {{.pool = ids.next<PoolId>()}, "events_pool (pool=? AND time>? AND time<?)"},
        {{.repo = "api"}, "events_repo (repo=? AND time>? AND time<?)"},
        {{.least = LogLevel::Warn}, "events_warnings (time>? AND time<?)"},
        {{.least = LogLevel::Error}, "events_errors (time>? AND time<?)"},
    };
    for (const auto& [filter, index] : expected) {
      CHECK(plan(history.database, filter) ==
            "SEARCH events USING INDEX " + std::string(index) + "\n");
    }
  }
}

TEST_SUITE("SqliteJournal: the history") {
  Result<LogPage> search(World & world, const LogFilter& filter) {
    std::optional<Result<LogPage>> answer;
    world.journal().entries(filter, {}, [&answer](Result<LogPage> page) { answer = page; });
    CHECK_FALSE(answer);
    world.run_until([&answer] { return answer.has_value(); });
    return *answer;
  }

  TEST_CASE("a task's changes and the lines that name it know its pool and repository") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    auto task = queued_task(ids);
    auto spec = std::make_shared<TaskSpec>(*task.spec);
    spec->repo = "api";
    task.spec = spec;
    REQUIRE(world.commit({TaskAdmitted{task}}));
    REQUIRE(world.commit({failure(task)}));
    const std::string text = task.id.str() + " left a process";
    world.journal().follower().line({at(9), spdlog::level::warn, text});
    // An entry of a commit is queued only after the commit was answered.
    std::size_t found = 0;
    for (int tries = 0; tries < 1000 && found < 3; ++tries) {
      const auto of_repo = search(world, {.repo = "api"});
      REQUIRE(of_repo);
      found = of_repo->items.size();
    }
    CHECK(found == 3);
    CHECK(search(world, {.pool = task.pool})->items.size() == 3);
    CHECK(search(world, {.query = "left", .task = task.id})->items.size() == 1);
  }

  TEST_CASE("without room for it a search says how to give some") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.history_bytes = 0;
    World world(options);
    const auto answer = search(world, {});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == base::ErrorCode::Unavailable);
    CHECK(answer.error().message.find("log.max_bytes") != std::string::npos);
  }
}

}  // namespace mahavishnu::test
