#include <doctest/doctest.h>

#include "domain/desk.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;
using std::chrono::seconds;

namespace {

// A snapshot put together by hand, and the life that starts from it.
struct Life {
  Desk desk;
  Restored event;

  Life() {
    event.snapshot.epoch = 5;
    PoolRecord pool;
    pool.id = PoolId{desk.ids.next(desk.now.wall)};
    pool.spec.name = "default";
    pool.target_workers = 4;
    event.snapshot.pools.push_back(pool);
  }
  TaskRecord& task(TaskState state, TaskSpec spec = {}) {
    TaskRecord record;
    record.id = TaskId{desk.ids.next(desk.now.wall)};
    record.pool = event.snapshot.pools.front().id;
    record.created = desk.now.wall - seconds(100);
    record.spec = std::make_shared<const TaskSpec>(std::move(spec));
    record.status.state = state;
    record.status.version = 7;
    const bool started = state != TaskState::Queued;
    record.status.attempt = started ? 1 : 0;
    if (started) record.status.started = record.created;
    event.snapshot.tasks.push_back(record);
    return event.snapshot.tasks.back();
  }
  void start() {
    desk.step(event);
    CHECK(desk.problem == "");
    desk.settle();
  }
};

TaskSpec retrying(int attempts) {
  TaskSpec spec;
  spec.retry = {attempts, Millis(1000), 2.0, 0.0, Millis(9000)};
  return spec;
}

}  // namespace

TEST_SUITE_BEGIN("a restart");

TEST_CASE("queued work runs, under a fence of the new epoch") {
  Life life;
  const TaskId task = life.task(TaskState::Queued).id;
  life.start();
  CHECK(life.desk.starts.at(task).fence == Fence{5, 1});
  CHECK(life.desk.status(task).version == 8);
}

TEST_CASE("an attempt that is found runs on under its fence, and its end counts") {
  Life life;
  const TaskId task = life.task(TaskState::Running).id;
  life.event.attempts.push_back({task, 1, Fence{4, 17}});
  life.start();
  CHECK(life.desk.starts.empty());
  CHECK(life.desk.commits.empty());
  life.desk.step(AttemptEnded{Fence{4, 17}, Reason::Ok, 0, {}, 0, {}});
  life.desk.settle();
  CHECK(life.desk.state(task) == TaskState::Completed);
  CHECK(life.desk.status(task).run_time == seconds(100));
  CHECK(life.desk.releases == std::vector<Fence>{Fence{4, 17}});
}

TEST_CASE("an attempt whose start had not reached the disk is found all the same") {
  Life life;
  const TaskId task = life.task(TaskState::Queued).id;
  life.event.attempts.push_back({task, 1, Fence{4, 17}});
  life.start();
  CHECK(life.desk.starts.empty());
  CHECK(life.desk.running(task));
  CHECK(life.desk.attempts.back().fence == Fence{4, 17});
}

TEST_CASE("an attempt nobody found is lost: retried by policy, or failed") {
  Life life;
  const TaskId again = life.task(TaskState::Running, retrying(2)).id;
  const TaskId once = life.task(TaskState::Running).id;
  life.start();
  CHECK(life.desk.state(again) == TaskState::RetryWait);
  CHECK(life.desk.state(once) == TaskState::Failed);
  CHECK(life.desk.reason(once) == Reason::Lost);
  CHECK(life.desk.attempts.size() == 2);
  life.desk.advance(seconds(1));
  CHECK(life.desk.starts.at(again).attempt == 2);
}

TEST_CASE("an attempt of a task that has ended is stopped and released") {
  Life life;
  const TaskId task = life.task(TaskState::Completed).id;
  life.event.attempts.push_back({task, 1, Fence{4, 17}});
  life.start();
  CHECK(life.desk.stops.front().first == Fence{4, 17});
  CHECK(life.desk.releases == std::vector<Fence>{Fence{4, 17}});
  CHECK(life.desk.core.counts().live == 0);
}

TEST_CASE("of two attempts of one task the newer one counts, whichever is found first") {
  for (const bool newer_first : {true, false}) {
    Life life;
    const TaskId task = life.task(TaskState::Running, retrying(3)).id;
    life.event.attempts = {{task, 2, Fence{4, 20}}, {task, 1, Fence{4, 17}}};
    if (!newer_first) std::swap(life.event.attempts[0], life.event.attempts[1]);
    life.start();
    CHECK(life.desk.stops == decltype(life.desk.stops){{Fence{4, 17}, Reason::Lost}});
    CHECK(life.desk.releases == std::vector<Fence>{Fence{4, 17}});
    CHECK(life.desk.status(task).attempt == 2);
    CHECK(life.desk.core.counts().running == 1);
    life.desk.step(AttemptEnded{Fence{4, 20}, Reason::Ok, 0, {}, 0, {}});
    CHECK(life.desk.state(task) == TaskState::Completed);
  }
}

TEST_CASE("a cancelled workflow stays cancelled") {
  Life life;
  auto spec = std::make_shared<WorkflowSpec>();
  spec->repos = {{"a", "/a"}};
  spec->steps.resize(2);
  spec->steps[0].id = "x";
  spec->steps[1].id = "y";
  WorkflowRecord flow;
  flow.id = WorkflowId{life.desk.ids.next(life.desk.now.wall)};
  flow.spec = spec;
  flow.status.state = WorkflowState::Running;
  life.event.snapshot.workflows.push_back(flow);
  for (const auto& [step, state] :
       {std::pair("x", TaskState::Running), {"y", TaskState::Cancelled}}) {
    TaskSpec task;
    task.repo = "a";
    TaskRecord& record = life.task(state, task);
    record.workflow = flow.id;
    record.step = step;
    record.status.reason = Reason::CancelledByCaller;
  }
  life.start();
  CHECK(life.desk.workflows.at(flow.id).state == WorkflowState::Cancelled);
  CHECK(life.desk.ended_workflows.size() == 1);
}

TEST_CASE("a task that was asked to end is stopped again, or cancelled when nothing of it runs") {
  Life life;
  TaskRecord& found = life.task(TaskState::Running, retrying(3));
  found.status.reason = Reason::CancelledByCaller;
  const TaskId runs = found.id;
  life.event.attempts.push_back({runs, 1, Fence{4, 17}});
  TaskRecord& gone = life.task(TaskState::Running, retrying(3));
  gone.status.reason = Reason::CancelledByCaller;
  const TaskId dead = gone.id;
  life.start();
  CHECK(life.desk.stops.back() == std::pair(Fence{4, 17}, Reason::CancelledByCaller));
  CHECK(life.desk.state(dead) == TaskState::Cancelled);
}

TEST_CASE("what waited to be retried waits for what is left of its time") {
  Life life;
  TaskRecord& record = life.task(TaskState::RetryWait, retrying(2));
  record.status.due = life.desk.now.wall + seconds(3);
  const TaskId task = record.id;
  life.start();
  life.desk.advance(seconds(2));
  CHECK_FALSE(life.desk.starts.contains(task));
  life.desk.advance(seconds(1));
  CHECK(life.desk.starts.at(task).attempt == 2);
}

TEST_CASE("the total time counts from admission, across restarts") {
  Life life;
  TaskSpec spec;
  spec.timeouts.total = seconds(105);  // admitted 100 s ago
  spec.not_before = life.desk.now.wall + seconds(60);
  const TaskId task = life.task(TaskState::Queued, spec).id;
  life.start();
  life.desk.advance(seconds(5));
  CHECK(life.desk.reason(task) == Reason::TotalTimeout);
}

TEST_CASE("dependencies hold, on live tasks and on ended ones") {
  Life life;
  const TaskId done = life.task(TaskState::Completed).id;
  const TaskId failed = life.task(TaskState::Failed).id;
  const TaskId queued = life.task(TaskState::Queued).id;
  const auto waits_for = [&](TaskId needed) {
    TaskSpec spec;
    spec.depends_on = {needed};
    return life.task(TaskState::Queued, spec).id;
  };
  const TaskId runs = waits_for(done);
  const TaskId ends = waits_for(failed);
  const TaskId waits = waits_for(queued);
  life.start();
  CHECK(life.desk.running(runs));
  CHECK(life.desk.reason(ends) == Reason::DependencyFailed);
  CHECK_FALSE(life.desk.starts.contains(waits));
  life.desk.end(queued);
  CHECK(life.desk.running(waits));
}

TEST_CASE("an ended task comes without its specification, and its dependants still run") {
  Life life;
  TaskRecord& ended = life.task(TaskState::Completed);
  ended.spec = nullptr;
  TaskSpec spec;
  spec.depends_on = {ended.id};
  const TaskId runs = life.task(TaskState::Queued, spec).id;
  life.start();
  CHECK(life.desk.running(runs));
}

TEST_CASE("a workflow goes on where it was: an ended cell brings only its repository") {
  Life life;
  auto spec = std::make_shared<WorkflowSpec>();
  spec->repos = {{"a", "/a"}};
  spec->steps.resize(2);
  spec->steps[0].id = "x";
  spec->steps[1].id = "y";
  spec->steps[1].depends_on = {"x"};
  WorkflowRecord flow;
  flow.id = WorkflowId{life.desk.ids.next(life.desk.now.wall)};
  flow.spec = spec;
  life.event.snapshot.workflows.push_back(flow);
  TaskSpec cell;
  cell.repo = "a";
  for (const auto& [step, state] :
       {std::pair("x", TaskState::Completed), {"y", TaskState::Queued}}) {
    TaskRecord& record = life.task(state, cell);
    record.workflow = flow.id;
    record.step = step;
  }
  const TaskId second = life.event.snapshot.tasks.back().id;
  life.start();
  REQUIRE(life.desk.running(second));
  life.desk.end(second);
  CHECK(life.desk.workflows.at(flow.id).state == WorkflowState::Completed);
}

TEST_CASE("of two pools of one name the draining one was gone already") {
  for (const bool draining_first : {true, false}) {
    Life life;
    auto& pools = life.event.snapshot.pools;
    PoolRecord old = pools.front();
    old.id = PoolId{life.desk.ids.next(life.desk.now.wall)};
    old.state = PoolState::Draining;
    const PoolId kept = pools.front().id;
    pools.insert(draining_first ? pools.begin() : pools.end(), old);
    life.start();
    CHECK(life.desk.core.find_pool("default").value() == kept);
    CHECK(life.desk.removed == std::vector<PoolId>{old.id});
  }
}

TEST_CASE("idempotency keys of live tasks hold") {
  Life life;
  TaskSpec spec;
  spec.idempotency_key = "k";
  spec.caller = "me";
  const TaskId task = life.task(TaskState::Queued, spec).id;
  life.start();
  life.desk.submit(spec);
  CHECK(life.desk.item().id == task);
  CHECK(life.desk.item().existing);
}

TEST_CASE("a draining pool goes on draining; an empty one is gone") {
  Life life;
  life.event.snapshot.pools.front().state = PoolState::Draining;
  const TaskId task = life.task(TaskState::Queued).id;
  life.start();
  CHECK(life.desk.removed.empty());
  life.desk.end(task);
  CHECK(life.desk.removed.size() == 1);
}

TEST_CASE("what it writes comes in commits of at most 1,000 records") {
  Life life;
  for (int i = 0; i < 1200; ++i) life.task(TaskState::Running);
  life.start();
  CHECK(life.desk.commits.size() == 3);  // two records each, kept together
  CHECK(life.desk.core.counts().live == 0);
}

TEST_CASE("a workflow goes on where it was") {
  Life life;
  auto spec = std::make_shared<WorkflowSpec>();
  spec->repos = {{"a", "/a"}, {"b", "/b"}};
  spec->steps.resize(3);
  spec->steps[0].id = "x";
  spec->steps[1].id = "undo";
  spec->steps[1].when = When::Failed;
  spec->steps[1].depends_on = {"x"};
  spec->steps[2].id = "y";
  spec->steps[2].depends_on = {"x"};
  WorkflowRecord flow;
  flow.id = WorkflowId{life.desk.ids.next(life.desk.now.wall)};
  flow.spec = spec;
  flow.status.state = WorkflowState::Running;
  flow.status.version = 9;
  life.event.snapshot.workflows.push_back(flow);
  std::map<std::string, TaskId> cells;
  const auto cell = [&](const std::string& step, const std::string& repo, TaskState state) {
    TaskSpec task;
    task.repo = repo;
    TaskRecord& record = life.task(state, task);
    record.workflow = flow.id;
    record.step = step;
    if (state == TaskState::Cancelled) record.status.reason = Reason::DependencyFailed;
    cells[step + "@" + repo] = record.id;
  };
  cell("x", "a", TaskState::Completed);
  cell("x", "b", TaskState::Running);
  cell("undo", "a", TaskState::Cancelled);
  cell("undo", "b", TaskState::Queued);
  cell("y", "a", TaskState::Queued);
  cell("y", "b", TaskState::Queued);
  life.event.attempts.push_back({cells["x@b"], 1, Fence{4, 1}});
  life.start();
  CHECK(life.desk.running(cells["y@a"]));
  CHECK_FALSE(life.desk.starts.contains(cells["y@b"]));
  life.desk.step(AttemptEnded{Fence{4, 1}, Reason::Ok, 0, {}, 0, {}});
  life.desk.settle();
  life.desk.end(cells["y@a"]);
  life.desk.end(cells["y@b"]);
  CHECK(life.desk.workflows.at(flow.id).state == WorkflowState::Completed);
  CHECK(life.desk.workflows.at(flow.id).skipped == 2);
  CHECK(life.desk.workflows.at(flow.id).version > 9);
}

TEST_SUITE_END();
