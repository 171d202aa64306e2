#include <doctest/doctest.h>

#include "journal/world.h"

namespace mahavishnu::test {

TEST_SUITE("SqliteJournal: what is written is what is read") {
  TEST_CASE("every field of a task that is live") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = full_task(ids);
    REQUIRE(world.commit({TaskAdmitted{task}}));
    const auto read = world.task(task.id);
    REQUIRE(read);
    CHECK(same(*read, task));
  }

  TEST_CASE("every field of a task that is ended, and its attempts in order") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    auto task = full_task(ids);
    AttemptRecord first{task.id, 1, {3, 7},       "gpu/1",          "node-a", at(1),
                        at(2),   3, std::nullopt, Reason::ExitCode, 1};
    AttemptRecord second{task.id,      2, {3, 9},         "gpu/2", "node-b", at(3), at(4),
                         std::nullopt, 9, Reason::Signal, 0};
    const TaskStatus ended{TaskState::Dead, Reason::Signal, 2,          12,        at(1),
                           at(4),           std::nullopt,   Millis(33), Millis(44)};
    REQUIRE(world.commit({TaskAdmitted{task}}));
    REQUIRE(world.commit({AttemptPut{second}, AttemptPut{first},
                          TaskChanged{task.id, task.workflow, ended, full_result()}}));
    task.status = ended;
    task.result = full_result();
    task.attempts = {first, second};
    const auto read = world.task(task.id);
    REQUIRE(read);
    CHECK(same(*read, task));
  }

  TEST_CASE("a task that is admitted as ended") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    auto task = full_task(ids);
    task.status.state = TaskState::Cancelled;
    task.status.reason = Reason::DependencyFailed;
    task.status.ended = at(10);
    task.result = full_result();
    REQUIRE(world.commit({TaskAdmitted{task}}));
    const auto read = world.task(task.id);
    REQUIRE(read);
    CHECK(same(*read, task));
  }

  TEST_CASE("a specification too large for the task's row") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = queued_task(ids, std::string(300000, 'x'));
    REQUIRE(world.commit({TaskAdmitted{task}, change(task, TaskState::Running, 2)}));
    const auto read = world.task(task.id);
    REQUIRE(read);
    CHECK(same(read->spec, task.spec));
  }

  TEST_CASE("a task of defaults") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    TaskRecord task;
    task.id = ids.next<TaskId>();
    task.spec = std::make_shared<const TaskSpec>();
    REQUIRE(world.commit({TaskAdmitted{task}}));
    const auto read = world.task(task.id);
    REQUIRE(read);
    CHECK(same(*read, task));
  }

  TEST_CASE("every field of a workflow, before and after a change") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    WorkflowRecord workflow{ids.next<WorkflowId>(),
                            at(1),
                            std::make_shared<const WorkflowSpec>(full_workflow_spec(ids)),
                            {WorkflowState::Running, 2, 9, 1, 2, 3, 1, 1, 1, at(5), std::nullopt}};
    REQUIRE(world.commit({WorkflowAdmitted{workflow}}));
    auto read = world.workflow(workflow.id);
    REQUIRE(read);
    CHECK(same(*read, workflow));

    workflow.status = {WorkflowState::Partial, 3, 9, 0, 0, 5, 2, 1, 1, at(5), at(6)};
    REQUIRE(world.commit({WorkflowChanged{workflow.id, workflow.status}}));
    read = world.workflow(workflow.id);
    REQUIRE(read);
    CHECK(same(*read, workflow));
  }

  TEST_CASE("every field of a pool, put twice, and its removal") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    PoolRecord pool{ids.next<PoolId>(), full_pool_spec(), PoolState::Running, 4, false, at(3)};
    REQUIRE(world.commit({PoolPut{pool}}));
    pool.state = PoolState::Paused;
    pool.target_workers = 2;
    pool.paused = true;
    pool.spec.max_queue = 7;
    PoolRecord gone{ids.next<PoolId>(), {}, PoolState::Running, 0, false, at(4)};
    REQUIRE(world.commit({PoolPut{pool}, PoolPut{gone}}));
    REQUIRE(world.commit({PoolRemoved{gone.id}}));
    const auto snapshot = world.journal().load();
    REQUIRE(snapshot);
    CHECK(same(snapshot->pools, {pool}));
  }

  TEST_CASE("an unknown task or workflow is not found") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    CHECK(world.task(ids.next<TaskId>()).error().code == base::ErrorCode::NotFound);
    CHECK(world.workflow(ids.next<WorkflowId>()).error().code == base::ErrorCode::NotFound);
  }
}

}  // namespace mahavishnu::test
