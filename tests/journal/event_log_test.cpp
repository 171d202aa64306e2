#include "journal/event_log.h"

#include <doctest/doctest.h>

#include "journal/schema.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using journal::Database;
using journal::Event;
using journal::EventLog;

std::unique_ptr<EventLog> open_log(const TempDirectory& directory, EventLog::Options options) {
  auto database = journal::open_migrated(directory.path(), journal::kEventsSchema, "NORMAL");
  REQUIRE(database);
  auto log = EventLog::open(std::move(*database), options);
  REQUIRE(log);
  return std::move(*log);
}

std::vector<Event> events(int count) {
  std::vector<Event> made(static_cast<std::size_t>(count));
  for (auto& event : made) event.kind = "task_running";
  return made;
}

std::int64_t ask(const TempDirectory& directory, const std::string& sql) {
  auto database = Database::open(directory.path() / "events.db", Database::Mode::ReadOnly);
  REQUIRE(database);
  auto answer = database->integer(sql);
  REQUIRE(answer);
  return *answer;
}

std::vector<std::string> kinds(const std::vector<Record>& records) {
  std::vector<Event> told;
  journal::describe(records, at(1), told);
  std::vector<std::string> names;
  for (const auto& event : told) names.push_back(event.kind);
  return names;
}

}  // namespace

TEST_SUITE("EventLog") {
  TEST_CASE("a full queue drops and counts, and never waits") {
    TempDirectory directory;
    auto log = open_log(directory, {.max_queued = 10, .keep_rows = 500000});
    log->add(events(25));
    log->stop();
    CHECK(log->counts().written == 10);
    CHECK(log->counts().dropped == 15);
    CHECK(ask(directory, "SELECT count(*) FROM events") == 10);
  }

  TEST_CASE("the newest rows are kept and the file does not grow for ever") {
    TempDirectory directory;
    for (int round = 0; round < 5; ++round) {
      auto log = open_log(directory, {.max_queued = 16384, .keep_rows = 100});
      log->add(events(1000));
      log->stop();
    }
    CHECK(ask(directory, "SELECT count(*) FROM events") == 100);
    CHECK(ask(directory, "SELECT min(seq) FROM events") == 4901);
    CHECK(ask(directory, "PRAGMA page_count") < 20);
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
              "SELECT count(*) FROM events WHERE kind='task_failed' AND level='warning' AND "
              "text='it exited with 3' AND task IS NOT NULL") == 1);
  }
}

}  // namespace mahavishnu::test
