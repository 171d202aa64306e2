#include <doctest/doctest.h>

#include "domain/desk.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;
using std::chrono::seconds;

namespace {

TaskSpec keyed(std::string key, std::string caller = "me") {
  TaskSpec spec;
  spec.idempotency_key = std::move(key);
  spec.caller = std::move(caller);
  return spec;
}

TaskSpec after(std::vector<TaskId> tasks) {
  TaskSpec spec;
  spec.depends_on = std::move(tasks);
  return spec;
}

WorkflowSpec keyed_workflow(std::string key) {
  WorkflowSpec spec;
  spec.repos = {{"a", "/a"}};
  spec.steps.resize(1);
  spec.steps[0].id = "x";
  spec.idempotency_key = std::move(key);
  spec.caller = "me";
  return spec;
}

const Error kFull{ErrorCode::Exhausted, "disk full", 0};

}  // namespace

TEST_SUITE_BEGIN("an idempotency key");

TEST_CASE("it names the first task for as long as that lives, and a while after") {
  CoreOptions options;
  options.key_memory = seconds(60);
  Desk desk(options);
  desk.pool();
  const TaskId first = desk.submit(keyed("k"));
  desk.submit(keyed("k"));
  CHECK(desk.item().id == first);
  CHECK(desk.item().existing);
  desk.end(first);
  desk.advance(seconds(59));
  desk.submit(keyed("k"));
  CHECK(desk.item().id == first);
  desk.advance(seconds(2));
  const TaskId second = desk.submit(keyed("k"));
  CHECK(desk.item().id == second);
  CHECK_FALSE(desk.item().existing);
}

TEST_CASE("it is not free on an answer of the archive older than what has left the memory") {
  CoreOptions options;
  options.key_memory = seconds(60);
  Desk desk(options);
  desk.pool();
  desk.advance(seconds(1));
  const MonoTime before = desk.now.mono;  // the archive is asked, and its answer held up
  desk.advance(seconds(1));
  desk.end(desk.submit(keyed("k")));
  desk.advance(seconds(61));
  desk.keys_sought = before;
  SUBCASE("a task's") {
    desk.submit(keyed("k"));
    REQUIRE(desk.item().refused);
    CHECK(desk.item().refused->code == ErrorCode::Unavailable);
  }
  SUBCASE("a workflow's") {
    desk.run(keyed_workflow("k"));
    CHECK(desk.refused());
  }
  SUBCASE("but on a newer one") {
    desk.keys_sought = desk.now.mono - seconds(30);
    desk.submit(keyed("k"));
    CHECK_FALSE(desk.item().refused);
  }
}

TEST_CASE("it belongs to its caller") {
  Desk desk;
  desk.pool();
  desk.submit(keyed("k", "me"));
  desk.submit(keyed("k", "you"));
  CHECK_FALSE(desk.item().existing);
}

TEST_CASE("repeated while the first is under way, the answer waits for the first's commit") {
  Desk desk;
  desk.pool();
  const TaskId first = desk.offer(keyed("k"));
  const CommitNo commit = desk.last_commit;
  desk.offer(keyed("k"));
  CHECK(desk.item().id == first);
  CHECK(desk.replies.at(desk.ticket).after == commit);
  desk.step(PersistFailed{commit, kFull});
  CHECK(desk.answer<Error>().message == "disk full");
  desk.submit(keyed("k"));
  CHECK_FALSE(desk.item().existing);
}

TEST_CASE("when only the first's commit fails, a batch loses only the item that named it") {
  Desk desk;
  desk.pool();
  desk.offer(keyed("k"));
  const CommitNo first = desk.last_commit;
  SubmitTasks batch;
  batch.ticket = ++desk.ticket;
  for (const char* key : {"k", "other"}) {
    batch.tasks.push_back({TaskId{desk.ids.next(desk.now.wall)},
                           std::make_shared<const TaskSpec>(keyed(key)),
                           {},
                           {}});
  }
  desk.step(batch);
  desk.step(PersistFailed{first, kFull});
  const auto& items = desk.answer<SubmittedTasks>().items;
  CHECK(items[0].refused->message == "disk full");
  CHECK_FALSE(items[1].refused.has_value());
  CHECK(desk.replies.at(desk.ticket).after == first + 1);
  CHECK(desk.core.is_live(items[1].id));
}

TEST_CASE("a workflow's key holds for the workflow, and conflicts with a task's") {
  Desk desk;
  desk.pool();
  const WorkflowSpec spec = keyed_workflow("k");
  const WorkflowId first = desk.run(spec);
  desk.run(spec);
  CHECK(desk.answer<SubmittedWorkflow>().id == first);
  CHECK(desk.answer<SubmittedWorkflow>().existing);
  desk.submit(keyed("k"));
  CHECK(desk.item().refused->code == ErrorCode::Conflict);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("a dependency");

TEST_CASE("a task starts once all it depends on has completed and that is on disk") {
  Desk desk;
  desk.pool();
  const TaskId a = desk.submit();
  const TaskId b = desk.submit();
  const TaskId last = desk.submit(after({a, b}));
  desk.end(a);
  CHECK_FALSE(desk.running(last));
  desk.step(AttemptEnded{desk.starts.at(b).fence, Reason::Ok, 0, {}, 0, {}});
  CHECK_FALSE(desk.running(last));
  desk.settle();
  CHECK(desk.running(last));
}

TEST_CASE("one that failed ends all that hang on it as dependency_failed") {
  Desk desk;
  desk.pool();
  const TaskId a = desk.submit();
  const TaskId b = desk.submit(after({a}));
  const TaskId c = desk.submit(after({b}));
  desk.end(a, Reason::ExitCode);
  for (const TaskId task : {b, c}) {
    CHECK(desk.state(task) == TaskState::Cancelled);
    CHECK(desk.reason(task) == Reason::DependencyFailed);
  }
  CHECK(desk.core.counts().live == 0);
}

TEST_CASE("one that ended before counts as the archive says") {
  Desk desk;
  desk.pool();
  const TaskId old{desk.ids.next(desk.now.wall)};
  const TaskId runs = desk.offer(after({old}), {old}, {});
  const TaskId ends = desk.offer(after({old}), {}, {old});
  desk.settle();
  CHECK(desk.running(runs));
  CHECK(desk.reason(ends) == Reason::DependencyFailed);
}

TEST_CASE("one that ended while the shell asked is still known") {
  Desk desk;
  desk.pool();
  const TaskId good = desk.submit();
  const TaskId bad = desk.submit();
  desk.end(good);
  desk.end(bad, Reason::ExitCode);
  CHECK(desk.running(desk.submit(after({good}))));
  CHECK(desk.reason(desk.submit(after({bad}))) == Reason::DependencyFailed);
}

TEST_CASE("one that is no task is refused") {
  Desk desk;
  desk.pool();
  desk.submit(after({TaskId{desk.ids.next(desk.now.wall)}}));
  CHECK(desk.item().refused->code == ErrorCode::NotFound);
}

TEST_CASE("one whose admission failed ends what hung on it") {
  Desk desk;
  desk.pool();
  const TaskId a = desk.offer({});
  const CommitNo first = desk.last_commit;
  const TaskId b = desk.offer(after({a}));
  desk.step(PersistFailed{first, kFull});
  desk.settle();
  CHECK(desk.reason(b) == Reason::DependencyFailed);
  CHECK(desk.problem == "");
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("admission");

TEST_CASE("each task of a batch is admitted or refused by itself, in one commit") {
  Desk desk;
  desk.pool();
  SubmitTasks batch;
  batch.ticket = ++desk.ticket;
  for (const int priority : {2, 9, 4}) {
    TaskSpec spec;
    spec.priority = static_cast<std::uint8_t>(priority);
    batch.tasks.push_back(
        {TaskId{desk.ids.next(desk.now.wall)}, std::make_shared<const TaskSpec>(spec), {}, {}});
  }
  const std::size_t commits = desk.commits.size();
  desk.step(batch);
  const auto& items = desk.answer<SubmittedTasks>().items;
  CHECK_FALSE(items[0].refused.has_value());
  CHECK(items[1].refused->message == "priority 9 is not one of 0 (background) to 4 (urgent)");
  CHECK_FALSE(items[2].refused.has_value());
  CHECK(desk.commits.size() == commits + 1);
  CHECK(desk.core.counts().refused == 1);
}

TEST_CASE("beyond max_live_tasks submits are refused") {
  CoreOptions options;
  options.max_live_tasks = 1;
  Desk desk(options);
  desk.pool();
  desk.submit();
  desk.submit();
  CHECK(desk.item().refused->code == ErrorCode::Exhausted);
}

TEST_CASE("a filter cancels exactly what it meets") {
  Desk desk;
  desk.pool("default", 1);
  desk.submit();
  TaskSpec spec;
  spec.labels = {{"team", "core"}, {"x", "1"}};
  spec.caller = "me";
  const TaskId hit = desk.submit(spec);
  spec.caller = "you";
  const TaskId other = desk.submit(spec);
  CancelMatching event;
  event.ticket = ++desk.ticket;
  event.label_key = "team";
  event.label_value = "core";
  event.caller = "me";
  desk.step(event);
  CHECK(desk.answer<CancelAnswer>().cancelled == std::vector<TaskId>{hit});
  CHECK(desk.state(other) == TaskState::Queued);
  event.caller = "nobody";
  event.ticket = ++desk.ticket;
  desk.step(event);
  CHECK(desk.answer<CancelAnswer>().cancelled.empty());
}

TEST_CASE("many cancels are written in commits of at most 1,000 records") {
  Desk desk;
  const PoolId pool = desk.pool("default", 1);
  for (int i = 0; i < 1501; ++i) desk.submit();
  const std::size_t commits = desk.commits.size();
  CancelMatching event;
  event.ticket = ++desk.ticket;
  event.pool = pool;
  desk.step(event);
  CHECK(desk.answer<CancelAnswer>().cancelled.size() == 1501);
  CHECK(desk.commits.size() == commits + 2);
  CHECK(desk.replies.at(desk.ticket).after == desk.last_commit);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("explain");

TEST_CASE("a queued task says what it waits for and what is ahead of it") {
  Desk desk;
  desk.pool("default", 1);
  for (int i = 0; i < 4; ++i) desk.submit();
  const TaskId task = desk.submit();
  CHECK(desk.why(task) == task.str() +
                              " is queued in pool \"default\": all 1 worker is busy; 3 tasks are "
                              "ahead of it");
  CHECK(desk.core.explain(task, desk.now)->ahead == 3);
}

TEST_CASE("what is ahead counts turns, not places in a list") {
  Desk desk;
  desk.pool("default", 1);
  for (int i = 0; i < 10; ++i) {
    TaskSpec spec;
    spec.caller = "greedy";
    desk.submit(spec);
  }
  TaskSpec spec;
  spec.caller = "modest";
  const TaskId task = desk.submit(spec);
  CHECK(desk.core.explain(task, desk.now)->ahead == 0);
}

TEST_CASE("a waiting task names what it waits for") {
  Desk desk;
  desk.pool();
  const TaskId a = desk.submit();
  const TaskId b = desk.submit(after({a}));
  CHECK(desk.why(b) == b.str() + " waits for 1 task it depends on, first " + a.str());
  CHECK(desk.core.explain(b, desk.now)->blocked_by == "dependency");
}

TEST_CASE("running, waiting to be retried, not yet due, not yet on disk") {
  Desk desk;
  desk.pool();
  TaskSpec spec;
  spec.retry = {2, Millis(5000), 2.0, 0.0, Millis(9000)};
  const TaskId task = desk.submit(spec);
  CHECK(desk.why(task) == task.str() + " has been running on default/1 for 0 ms (attempt 1 of 2)");
  desk.end(task, Reason::ExitCode);
  CHECK(desk.why(task) == task.str() + " ended with exit_code; attempt 2 of 2 is due in 5 s");
  TaskSpec later;
  later.not_before = desk.now.wall + seconds(7);
  const TaskId held = desk.submit(later);
  CHECK(desk.why(held) == held.str() + " may start in 7 s (not_before)");
  const TaskId fresh = desk.offer({});
  CHECK(desk.why(fresh).find("is being written to disk") != std::string::npos);
  CHECK_FALSE(desk.core.explain(TaskId{desk.ids.next(desk.now.wall)}, desk.now).has_value());
}

TEST_CASE("pools and workflows explain themselves") {
  Desk desk;
  const PoolId pool = desk.pool("default", 2);
  desk.step(ScalePool{++desk.ticket, pool, 1, {}});
  WorkflowSpec spec;
  spec.repos = {{"a", "/a"}, {"b", "/b"}};
  spec.steps.resize(1);
  spec.steps[0].id = "x";
  const WorkflowId flow = desk.run(spec);
  CHECK(desk.core.explain(pool, desk.now)->sentence ==
        "pool \"default\" runs 1 task on 1 worker, 1 queued, 0 delayed; every worker is busy: "
        "pool_scale can add 1");
  CHECK(desk.core.explain(flow, desk.now)->sentence ==
        flow.str() + ": 0 of 2 tasks have ended, 1 running, 1 queued or waiting");
}

TEST_SUITE_END();
