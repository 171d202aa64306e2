#include "journal/event_log.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <optional>
#include <thread>

#include "journal/event_query.h"
#include "journal/schema.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using domain::LogEntry;
using domain::LogLevel;
using journal::Database;
using journal::EventLog;

// Entries are made at the tests' times, which are long ago.
EventLog::Options limits() {
  EventLog::Options options;
  options.now = [] { return at(0); };
  return options;
}

std::unique_ptr<EventLog> open_log(const TempDirectory& directory,
                                   EventLog::Options options = limits(),
                                   const std::string& first = "SELECT 1") {
  auto database = journal::open_migrated(directory.path(), journal::kEventsSchema, "NORMAL");
  REQUIRE(database);
  REQUIRE(database->execute(first));
  auto log = EventLog::open(std::move(*database), std::nullopt, std::move(options));
  REQUIRE(log);
  return std::move(*log);
}

std::vector<LogEntry> entries(int count, const std::string& text = "") {
  LogEntry entry;
  entry.time = at(1);
  entry.kind = "task_running";
  entry.text = text;
  return std::vector<LogEntry>(static_cast<std::size_t>(count), entry);
}

// Until all that was added is written or dropped.
void settle(EventLog& log) {
  std::promise<void> done;
  log.written([&done] { done.set_value(); });
  done.get_future().wait();
}

base::LogLine line(std::string_view text) { return {at(2), spdlog::level::info, text}; }

std::int64_t ask(const TempDirectory& directory, const std::string& sql) {
  auto database = Database::open(directory.path() / "events.db", Database::Mode::ReadOnly);
  REQUIRE(database);
  auto answer = database->integer(sql);
  REQUIRE(answer);
  return *answer;
}

std::vector<std::string> kinds(const std::vector<Record>& records) {
  std::vector<LogEntry> told;
  journal::describe(records, at(1), told);
  std::vector<std::string> names;
  for (const auto& entry : told) names.push_back(entry.kind);
  return names;
}

}  // namespace

TEST_SUITE("EventLog") {
  TEST_CASE("a full queue drops and counts, and never waits") {
    TempDirectory directory;
    auto options = limits();
    options.max_queued = 10;
    auto log = open_log(directory, options);
    log->add(entries(25));
    log->stop();
    CHECK(log->counts().written == 10);
    CHECK(log->counts().dropped == 15);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 10);
  }

  TEST_CASE("between slices it pauses, but not while somebody waits for what is written") {
    TempDirectory directory;
    auto options = limits();
    options.slice = 10;
    options.pause = std::chrono::hours(1);
    auto log = open_log(directory, options);
    log->add(entries(1000));
    settle(*log);
    CHECK(log->counts().written == 1000);
    log->add(entries(1000));
    log->stop();
    CHECK(log->counts().written == 2000);
  }

  TEST_CASE("nor while the queue fills up, with entries or with their texts") {
    for (const std::string& text : {std::string(), std::string(100'000, 'x')}) {
      TempDirectory directory;
      auto options = limits();
      options.max_queued = text.empty() ? 400 : 32768;
      options.slice = 10;
      options.pause = std::chrono::hours(1);
      auto log = open_log(directory, options);
      std::promise<void> written;
      auto told = written.get_future();
      log->on_written([&written] { written.set_value(); });
      log->add(entries(10));
      // Taken for writing after some moments, and then in the pause.
      while (log->counts().queued > 0) std::this_thread::yield();
      CHECK(told.wait_for(Millis(50)) == std::future_status::timeout);
      log->add(entries(101, text));
      told.wait();
      CHECK(log->counts().written == 10);
      log->on_written({});
      log->stop();
      CHECK(log->counts().written == 111);
    }
  }

  TEST_CASE("long texts fill the queue as well") {
    TempDirectory directory;
    auto options = limits();
    options.max_queued_bytes = 1000;
    auto log = open_log(directory, options);
    log->add(entries(25, std::string(100, 'x')));
    log->stop();
    CHECK(log->counts().written == 10);
    CHECK(log->counts().dropped == 15);
  }

  TEST_CASE("the file does not grow for ever: the oldest go") {
    TempDirectory directory;
    auto options = limits();
    options.max_bytes = 1 << 20;
    auto log = open_log(directory, options);
    for (int round = 0; round < 40; ++round) {
      log->add(entries(1000, std::string(100, 'x')));
      settle(*log);
    }
    CHECK(log->counts().written == 40000);
    log->stop();
    CHECK(ask(directory, "SELECT count(*) FROM events") > 1000);
    CHECK(ask(directory, "SELECT max(seq) FROM events") == 40000);
    CHECK(ask(directory, "SELECT max(seq)-min(seq)-count(*) FROM events") == -1);
    CHECK(ask(directory, "PRAGMA page_count") * 4096 <= 1 << 20);
  }

  TEST_CASE("what is older than it is kept goes, some at a time, and the disk gets its room back") {
    TempDirectory directory;
    std::atomic<std::int64_t> now{10};
    EventLog::Options options;
    options.keep = Millis(1000);
    options.max_bytes = 8 << 20;
    options.now = [&now] { return at(now); };
    auto log = open_log(directory, options);
    log->add(entries(2500, std::string(1000, 'x')));
    settle(*log);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 2500);
    const auto full = ask(directory, "PRAGMA page_count");
    now = 1002;
    settle(*log);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 1500);
    for (int pass = 0; pass < 4; ++pass) settle(*log);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 0);
    CHECK(ask(directory, "PRAGMA page_count") < full);
  }

  TEST_CASE("without room nothing is kept, and nothing is called dropped") {
    TempDirectory directory;
    auto options = limits();
    options.max_bytes = 0;
    auto log = open_log(directory, options);
    log->add(entries(5));
    log->line(line("text"));
    log->stop();
    CHECK_FALSE(log->keeps());
    CHECK(log->counts().dropped == 0);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 0);
  }

  TEST_CASE("a disk that takes nothing loses entries, counts them, and is tried again") {
    TempDirectory directory;
    auto log = open_log(directory, limits(), "PRAGMA max_page_count=20");
    log->add(entries(1000, std::string(1000, 'x')));
    settle(*log);
    CHECK(log->counts().dropped == 1000);
    log->add(entries(3));
    settle(*log);
    CHECK(log->counts().written == 3);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 3);
  }

  TEST_CASE("a line is an entry with its level and the ids in its text") {
    TempDirectory directory;
    Ids ids;
    const auto task = ids.next<TaskId>();
    auto log = open_log(directory);
    log->line({at(7), spdlog::level::critical, "lost " + task.str() + ", it's gone"});
    log->stop();
    auto database = Database::open(directory.path() / "events.db", Database::Mode::ReadOnly);
    REQUIRE(database);
    const auto page = journal::find_entries(*database, {}, {});
    REQUIRE(page);
    REQUIRE(page->items.size() == 1);
    CHECK(page->items[0].kind == "log");
    CHECK(page->items[0].time == at(7));
    CHECK(page->items[0].level == LogLevel::Error);
    CHECK(page->items[0].task == task);
    CHECK(page->items[0].text == "lost " + task.str() + ", it's gone");
  }

  TEST_CASE("what its own thread logs is not added: no warning feeds itself") {
    TempDirectory directory;
    auto log = open_log(directory);
    std::promise<void> done;
    log->written([&] {
      log->line(line("from within"));
      done.set_value();
    });
    done.get_future().wait();
    log->line(line("from without"));
    log->stop();
    CHECK(ask(directory, "SELECT count(*) FROM events") == 1);
    CHECK(ask(directory, "SELECT text='from without' FROM events") == 1);
  }

  TEST_CASE("after its end an entry is dropped, and who waits is called at once") {
    TempDirectory directory;
    auto log = open_log(directory);
    log->stop();
    log->add(entries(2));
    settle(*log);
    CHECK(log->counts().dropped == 2);
  }

  TEST_CASE("a history of the first version is led on, warnings stay warnings") {
    TempDirectory directory;
    {
      auto raw = Database::open(directory.path() / "events.db", Database::Mode::ReadWrite);
      REQUIRE(raw);
      REQUIRE(raw->execute(
          std::string(journal::kEventsSchema.steps[0]) +
          "INSERT INTO events(time,kind,level) VALUES(1763000000000,'a','info'),(1763000000000,'b',"
          "'warning');PRAGMA user_version=1"));
    }
    open_log(directory)->stop();
    CHECK(ask(directory, "SELECT severity FROM events WHERE kind='a'") == 2);
    CHECK(ask(directory, "SELECT severity FROM events WHERE kind='b'") == 3);
  }

  TEST_CASE("an admission of many is about what they share") {
    Ids ids;
    auto one = queued_task(ids);
    auto two = queued_task(ids);
    one.batch = two.batch = ids.next<BatchId>();
    two.pool = one.pool;
    std::vector<LogEntry> told;
    journal::describe(std::vector<Record>{TaskAdmitted{one}, TaskAdmitted{two}}, at(1), told);
    REQUIRE(told.size() == 1);
    CHECK(told[0].text == "2 tasks");
    CHECK(told[0].task.is_null());
    CHECK(told[0].pool == one.pool);
    CHECK(told[0].repo == one.spec->repo);
  }

  TEST_CASE("each kind of change is told once, a batch admitted together in one row") {
    Ids ids;
    auto one = queued_task(ids);
    auto two = queued_task(ids);
    auto three = queued_task(ids);
    one.batch = two.batch = ids.next<BatchId>();
    const auto workflow = pending_workflow(ids);
    WorkflowStatus running, done;
    running.state = WorkflowState::Running;
    done.state = WorkflowState::Completed;
    CHECK(kinds({TaskAdmitted{one}, TaskAdmitted{two}, TaskAdmitted{three}}) ==
          std::vector<std::string>{"task_admitted", "task_admitted"});
    CHECK(kinds({WorkflowAdmitted{workflow}, WorkflowChanged{workflow.id, running},
                 WorkflowChanged{workflow.id, done}}) ==
          std::vector<std::string>{"workflow_admitted", "workflow_completed"});
    CHECK(kinds({change(one, TaskState::Running, 2), failure(one)}) ==
          std::vector<std::string>{"task_running", "task_failed"});
  }

  TEST_CASE("the journal tells of what is durable, with the sentence on why it failed") {
    TempDirectory directory;
    Ids ids;
    const auto task = queued_task(ids);
    {
      World world(options_in(directory));
      REQUIRE(world.commit({TaskAdmitted{task}}));
      REQUIRE(world.commit({failure(task)}));
      REQUIRE_FALSE(world.commit({TaskAdmitted{task}, TaskAdmitted{task}}));
    }
    CHECK(ask(directory, "SELECT count(*) FROM events") == 2);
    CHECK(ask(directory,
              "SELECT count(*) FROM events WHERE kind='task_failed' AND severity=3 AND "
              "text='it exited with 3' AND task IS NOT NULL") == 1);
    CHECK(ask(directory, "SELECT count(*) FROM events WHERE pool IS NOT NULL") == 2);
  }
}

}  // namespace mahavishnu::test
