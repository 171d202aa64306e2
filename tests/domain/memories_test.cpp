#include "domain/memories.h"

#include <doctest/doctest.h>

namespace mahavishnu::domain {
namespace {

TaskRecord ended_task() {
  TaskSpec spec;
  spec.work.command = "make test";
  spec.repo = "api";
  spec.labels = {{"team", "core"}, {"nightly", ""}};
  TaskRecord task;
  task.id = TaskId{{7, 8}};
  task.pool = PoolId{{1, 1}};
  task.pool_name = "gpu";
  task.spec = std::make_shared<const TaskSpec>(std::move(spec));
  task.status.state = TaskState::Failed;
  task.status.reason = Reason::ExitCode;
  task.status.attempt = 2;
  task.status.run_time = Millis(1520);
  task.status.ended = WallTime(Millis(5000));
  task.result.emplace().text = "one\ntwo";
  AttemptRecord attempt;
  attempt.exit_code = 3;
  task.attempts.push_back(attempt);
  return task;
}

}  // namespace

TEST_SUITE("Memory") {
  TEST_CASE("a task's memory has its id, what ran, how it ended and the end of its output") {
    const Memory memory = memory_of(ended_task(), 8192);
    CHECK(memory.id.str() == "mem_" + ended_task().id.str().substr(5));
    CHECK(memory.title == "make test");
    CHECK(memory.text == "failed (exit_code 3) after 1520 ms, attempt 2\none\ntwo");
    CHECK(memory.tags == std::vector<std::string>{"nightly", "team=core"});
    CHECK(memory.repo == "api");
    CHECK(memory.pool_name == "gpu");
    CHECK(memory.state == "failed");
    CHECK(memory.exit_code == 3);
    CHECK(memory.time == WallTime(Millis(5000)));
  }

  TEST_CASE("every end leaves one, but of what never ran since another failed") {
    TaskStatus status;
    for (const auto state :
         {TaskState::Completed, TaskState::Failed, TaskState::Cancelled, TaskState::Dead}) {
      status.state = state;
      CHECK(leaves_memory(status));
    }
    status.reason = Reason::DependencyFailed;
    CHECK_FALSE(leaves_memory(status));
    status = {};
    CHECK_FALSE(leaves_memory(status));
  }

  TEST_CASE("a word that was cut through is left out: it may be half a secret") {
    TaskRecord task = ended_task();
    task.result->text = "XXXXXXXX kept words";
    CHECK(memory_of(task, 14).text.ends_with("ms, attempt 2\n kept words"));
    CHECK(memory_of(task, 19).text.ends_with("XXXXXXXX kept words"));
    task.result->truncated = true;
    CHECK(memory_of(task, 19).text.ends_with("\n kept words"));
    task.result->text = std::string(9000, 'X');
    CHECK(memory_of(task, 8192).text.ends_with("attempt 2\n"));
    CHECK(memory_of(task, 0).text.ends_with("attempt 2\n"));
  }

  TEST_CASE("an argument list reads as a command, and a long one is cut") {
    TaskRecord task = ended_task();
    auto spec = *task.spec;
    spec.work.command.clear();
    spec.work.argv = {"sh", "-c", "echo hi"};
    task.spec = std::make_shared<const TaskSpec>(spec);
    CHECK(memory_of(task, 10).title == "sh -c echo hi");
    spec.work.argv = {"run", std::string(100000, 'x')};
    task.spec = std::make_shared<const TaskSpec>(spec);
    CHECK(memory_of(task, 10).title == "run …");
  }

  TEST_CASE("a tool's call reads as the tool and its arguments") {
    TaskRecord task = ended_task();
    auto spec = *task.spec;
    spec.work.command.clear();
    spec.work.tool = "search";
    spec.work.arguments = R"({"query":"café"})";
    task.spec = std::make_shared<const TaskSpec>(spec);
    CHECK(memory_of(task, 10).title == R"(search {"query":"café"})");
  }

  TEST_CASE("whatever bytes there are, the text is UTF-8 without NULs") {
    const std::string mark = "\xEF\xBF\xBD";
    CHECK(plain_text("caf\xC3\xA9 \xF0\x9F\x8E\xBB") == "caf\xC3\xA9 \xF0\x9F\x8E\xBB");
    CHECK(plain_text(std::string("a\0b", 3)) == "a" + mark + "b");
    CHECK(plain_text("\xFF"
                     "a\xC3") == mark + "a" + mark);
    CHECK(plain_text("\xC0\xAF") == mark + mark);
    CHECK(plain_text("\xED\xA0\x80") == mark + mark + mark);          // a surrogate
    CHECK(plain_text("\xF4\x90\x80\x80").size() == 4 * mark.size());  // beyond U+10FFFF
    CHECK(plain_text("\xE2\x82") == mark + mark);
    TaskRecord task = ended_task();
    task.result->text = "bad \xFE\xFF bytes";
    CHECK(memory_of(task, 100).text.ends_with("bad " + mark + mark + " bytes"));
  }

  TEST_CASE("the first line is short and ends between characters") {
    CHECK(first_line("\n  one\ntwo") == "one");
    CHECK(first_line("") == "");
    std::string long_line;
    for (int i = 0; i < 150; ++i) long_line += "\xC3\xA9";
    const std::string line = first_line(long_line);
    CHECK(line == plain_text(line));
    CHECK(line.size() <= 203);
  }
}

}  // namespace mahavishnu::domain
