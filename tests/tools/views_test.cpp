#include <doctest/doctest.h>

#include "tools/json_views.h"
#include "tools/offer.h"
#include "tools/output_cursor.h"
#include "tools/token_estimate.h"

using mahavishnu::base::Millis;
using mahavishnu::base::WallTime;
using mahavishnu::rpc::Json;
namespace domain = mahavishnu::domain;
using namespace mahavishnu::tools;

namespace {

const WallTime kNow{Millis{1700000000000}};

domain::TaskRecord task_in(domain::TaskState state) {
  domain::TaskRecord task;
  task.id = domain::TaskId{{1, 2}};
  task.pool_name = "default";
  task.created = kNow - Millis{5000};
  task.spec = std::make_shared<domain::TaskSpec>();
  task.status.state = state;
  return task;
}

domain::AttemptRecord attempt_since(WallTime started) {
  domain::AttemptRecord attempt;
  attempt.number = 1;
  attempt.started = started;
  return attempt;
}

domain::PoolStatus pool_with(int queued, int max_queue) {
  domain::PoolStatus pool;
  pool.record.spec.name = "p";
  pool.record.spec.max_queue = max_queue;
  pool.record.target_workers = 2;
  pool.total = 2;
  pool.queued = queued;
  return pool;
}

}  // namespace

TEST_SUITE("task views") {
  TEST_CASE("a queued task has waited since it was created") {
    const Json view = task_view(task_in(domain::TaskState::Queued), kNow);
    CHECK(view["queue_ms"] == 5000);
    CHECK(view["run_ms"] == 0);
    CHECK_FALSE(view.contains("reason"));
    CHECK_FALSE(view.contains("result"));
    CHECK(view["created"] == "2023-11-14T22:13:15.000Z");
  }

  TEST_CASE("a running task runs since its attempt started") {
    auto task = task_in(domain::TaskState::Running);
    task.attempts.push_back(attempt_since(kNow - Millis{700}));
    CHECK(task_view(task, kNow)["run_ms"] == 700);
    CHECK(task_view(task, kNow - Millis{900})["run_ms"] == 0);  // the clock was set back
  }

  TEST_CASE("a failed task tells its reason, attempts and what cannot be enforced") {
    auto task = task_in(domain::TaskState::Failed);
    task.status.reason = domain::Reason::ExitCode;
    auto attempt = attempt_since(kNow);
    attempt.ended = kNow;
    attempt.exit_code = 3;
    task.attempts.push_back(attempt);
    task.result = domain::TaskResult{};
    task.result->message = "exit code 3";
    task.result->unenforced = {"memory_bytes"};
    const Json view = task_view(task, kNow);
    CHECK(view["reason"] == "exit_code");
    CHECK(view["attempts"][0]["exit_code"] == 3);
    CHECK(view["attempts"][0]["processes_left"] == 0);
    CHECK(view["result"]["message"] == "exit code 3");
    CHECK(view["result"]["unenforced"] == Json{"memory_bytes"});
  }

  TEST_CASE("an answer about a task is its view") {
    auto task = task_in(domain::TaskState::Completed);
    task.result = domain::TaskResult{};
    task.result->text = std::string(8192, 'x');
    const Json view = task_view(task, kNow);
    CHECK(Json::parse(task_answer(task.id, view)) == view);
  }

  TEST_CASE("of one that is too long the text begins later, and a resource has the whole") {
    auto task = task_in(domain::TaskState::Completed);
    task.result = domain::TaskResult{};
    task.result->text = std::string(8000, '\x1b') + "the end";
    task.result->structured = R"({"answer":42})";
    const std::string answer = task_answer(task.id, task_view(task, kNow));
    CHECK(estimated_tokens(answer) <= kAnswerTokens);
    CHECK(estimated_tokens(answer) > kAnswerTokens / 2);
    const Json view = Json::parse(answer);
    CHECK(view["result"]["text"].get<std::string>().ends_with("the end"));
    CHECK(view["result"]["truncated"] == true);
    CHECK(view["result"]["structured"]["answer"] == 42);
    CHECK(view["whole_at"] == task_uri(task.id));
  }

  TEST_CASE("old attempts and a long structured result are left out first") {
    auto task = task_in(domain::TaskState::Dead);
    for (std::uint32_t number = 1; number <= 100; ++number) {
      task.attempts.push_back(attempt_since(kNow));
      task.attempts.back().number = number;
      task.attempts.back().ended = kNow;
      task.attempts.back().worker = "shell-0123456789-0123456789";
    }
    task.result = domain::TaskResult{};
    task.result->text = "the end";
    task.result->structured = Json(std::string(16000, '1')).dump();
    const std::string answer = task_answer(task.id, task_view(task, kNow));
    CHECK(estimated_tokens(answer) <= kAnswerTokens);
    const Json view = Json::parse(answer);
    CHECK(view["attempts"].size() == 10);
    CHECK(view["attempts"].back()["attempt"] == 100);
    CHECK_FALSE(view["result"].contains("structured"));
    CHECK(view["result"]["text"] == "the end");
    CHECK(view["result"]["truncated"] == false);
  }

  TEST_CASE("only the cell of a failed task shows the end of its output, 1 KiB of it") {
    auto task = task_in(domain::TaskState::Failed);
    task.result = domain::TaskResult{};
    task.result->text = std::string(5000, 'x') + "end";
    const Json cell = cell_view(task);
    CHECK(cell["error_tail"].get<std::string>().size() == 1024);
    CHECK(cell["error_tail"].get<std::string>().ends_with("end"));
    task.status.state = domain::TaskState::Completed;
    CHECK_FALSE(cell_view(task).contains("error_tail"));
  }

  TEST_CASE("a cell that failed without output shows why instead") {
    auto task = task_in(domain::TaskState::Dead);
    task.result = domain::TaskResult{};
    task.result->message = "no such program";
    CHECK(cell_view(task)["error_tail"] == "no such program");
  }

  TEST_CASE("a tail begins with a whole character") {
    CHECK(tail("a\xC3\xA4"
               "b",
               2) == "b");
    CHECK(tail("a\xC3\xA4"
               "b",
               3) ==
          "\xC3\xA4"
          "b");
    CHECK(tail("ab", 9) == "ab");
  }
}

TEST_SUITE("workflow progress") {
  TEST_CASE("100 is said only when the workflow has ended") {
    domain::WorkflowStatus status;
    status.total = 3;
    CHECK(progress_of(status) == 0);
    status.completed = 1;
    status.failed = 1;
    CHECK(progress_of(status) == 66);
    status.skipped = 1;
    CHECK(progress_of(status) == 99);
    status.state = domain::WorkflowState::Partial;
    CHECK(progress_of(status) == 100);
  }
}

TEST_SUITE("pool health") {
  TEST_CASE("a pool that works is healthy") {
    CHECK(pool_health(pool_with(0, 100), kNow)["status"] == "healthy");
    CHECK(pool_health(pool_with(89, 100), kNow)["why"].empty());
  }

  TEST_CASE("a queue of 90 % degrades, a full one is unhealthy") {
    CHECK(pool_health(pool_with(90, 100), kNow)["status"] == "degraded");
    const Json full = pool_health(pool_with(100, 100), kNow);
    CHECK(full["status"] == "unhealthy");
    CHECK(full["why"][0] == "its queue is full (100)");
  }

  TEST_CASE("a pool without workers is unhealthy once work waits for it") {
    auto pool = pool_with(0, 100);
    pool.record.target_workers = 0;
    CHECK(pool_health(pool, kNow)["status"] == "degraded");
    pool.queued = 1;
    CHECK(pool_health(pool, kNow)["status"] == "unhealthy");
  }

  TEST_CASE("the worst comes first, and a pause is said") {
    auto pool = pool_with(100, 100);
    pool.record.paused = true;
    pool.oldest_queued = kNow - Millis{61000};
    const Json health = pool_health(pool, kNow);
    CHECK(health["why"].size() == 3);
    CHECK(health["why"][0] == "its queue is full (100)");
  }

  TEST_CASE("a failed pool says that its workers cannot be started") {
    auto pool = pool_with(0, 100);
    pool.record.state = domain::PoolState::Failed;
    CHECK(pool_health(pool, kNow)["status"] == "unhealthy");
    CHECK(pool_view(pool)["unavailable_reason"] == "its workers cannot be started");
  }
}

TEST_SUITE("ItemList") {
  TEST_CASE("an answer is the head, the items and the cursor") {
    ItemList list(Json{{"total", 2}});
    CHECK(list.add({{"a", 1}}));
    CHECK(list.add({{"a", 2}}));
    CHECK(list.finish("items", "c\"1") ==
          R"({"total":2,"items":[{"a":1},{"a":2}],"next_cursor":"c\"1"})");
    CHECK(ItemList(Json::object()).finish("items", "") == R"({"items":[]})");
  }

  TEST_CASE("it refuses what would make the answer too long, but always takes one") {
    ItemList list(Json::object());
    CHECK(list.add(std::string(60000, 'x')));
    CHECK_FALSE(list.add("y"));
    CHECK(list.size() == 1);
  }

  TEST_CASE("a full list stays under the size of an answer") {
    ItemList list(Json::object());
    while (list.add(std::string(500, 'x'))) continue;
    CHECK(estimated_tokens(list.finish("items", std::string(1000, 'c'))) <= kAnswerTokens);
    CHECK(list.size() > 60);
  }
}

TEST_SUITE("cursors") {
  TEST_CASE("an output cursor names its stream and its place") {
    const auto place = parse_output_cursor(output_cursor(domain::OutputStream::Stderr, 123));
    REQUIRE(place);
    CHECK(place->stream == domain::OutputStream::Stderr);
    CHECK(place->offset == 123);
  }

  TEST_CASE("what is no cursor is refused with the way out") {
    for (const char* text :
         {"", "12", "all:", "all:x", "all:-1", "else:4", "all:99999999999999999999", "all:1 "}) {
      CAPTURE(text);
      const auto place = parse_output_cursor(text);
      REQUIRE_FALSE(place);
      CHECK(place.error().message.find("next_cursor") != std::string::npos);
    }
    CHECK_FALSE(parse_position("batch", "items:4"));
    CHECK(*parse_position("batch", "batch:4") == 4);
  }
}
