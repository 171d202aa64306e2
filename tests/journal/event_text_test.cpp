#include "journal/event_text.h"

#include <doctest/doctest.h>

#include "journal/world.h"

namespace mahavishnu::test {
namespace {

domain::LogEntry entry_of(std::string text) {
  domain::LogEntry entry;
  entry.text = std::move(text);
  journal::find_ids(entry);
  return entry;
}

bool holds(const char* query, std::string_view text, std::string_view kind = "log") {
  return journal::Words(query).in(kind, text);
}

}  // namespace

TEST_SUITE("ids in a text") {
  TEST_CASE("the first of each kind is taken, wherever it stands") {
    Ids ids;
    const auto task = ids.next<TaskId>();
    const auto other = ids.next<TaskId>();
    const auto workflow = ids.next<WorkflowId>();
    const auto pool = ids.next<PoolId>();
    const auto entry = entry_of(task.str() + " before " + other.str() + ", (" + workflow.str() +
                                ") in \"" + pool.str() + "\"");
    CHECK(entry.task == task);
    CHECK(entry.workflow == workflow);
    CHECK(entry.pool == pool);
  }

  TEST_CASE("what only looks like one is none") {
    for (const char* text : {"", "_", "task_", "task_running", "tools/call task_submit took 5 µs",
                             "task_01J", "task_ZZZZZZZZZZZZZZZZZZZZZZZZZZ", "pool_put", "wf_"}) {
      CAPTURE(text);
      const auto entry = entry_of(text);
      CHECK(entry.task.is_null());
      CHECK(entry.workflow.is_null());
      CHECK(entry.pool.is_null());
    }
  }

  TEST_CASE("an id that is known stays") {
    Ids ids;
    domain::LogEntry entry;
    entry.task = ids.next<TaskId>();
    const auto known = entry.task;
    entry.text = ids.next<TaskId>().str();
    journal::find_ids(entry);
    CHECK(entry.task == known);
  }
}

TEST_SUITE("Words") {
  TEST_CASE("each word is somewhere in the text, in any order and case") {
    CHECK(holds("full POOL", "Pool \"gpu\" is full"));
    CHECK(holds("  gpu\t\n", "Pool \"gpu\" is full"));
    CHECK_FALSE(holds("full cpu", "Pool \"gpu\" is full"));
  }

  TEST_CASE("the kind counts as well, but no word reaches over its end") {
    CHECK(holds("task_failed exited", "it exited with 3", "task_failed"));
    CHECK_FALSE(holds("logpool", "pool", "log"));
  }

  TEST_CASE("nothing in a query has a meaning of its own") {
    CHECK(holds("100%", "it is 100% full"));
    CHECK_FALSE(holds("1%0", "100"));
    CHECK_FALSE(holds("a_c", "abc"));
    for (const char* query :
         {"\"", "'", "a*", "NEAR(a", "a OR b", "-x", "(", "; DROP TABLE", "\\"}) {
      CAPTURE(query);
      CHECK_FALSE(holds(query, "nothing of that"));
      CHECK(holds(query, std::string("before ") + query + " after"));
    }
  }

  TEST_CASE("other characters are compared as they are") {
    CHECK(holds("größe", "die Größe"));
    CHECK_FALSE(holds("GRÖSSE", "die größe"));
    CHECK(holds("\xFF", std::string_view("a\0\xFF", 3)));
  }
}

}  // namespace mahavishnu::test
