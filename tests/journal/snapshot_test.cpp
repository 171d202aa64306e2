#include <doctest/doctest.h>

#include "journal/world.h"

namespace mahavishnu::test {
namespace {

std::vector<TaskId> ids_of(const Snapshot& snapshot) {
  std::vector<TaskId> ids;
  for (const auto& task : snapshot.tasks) ids.push_back(task.id);
  return ids;
}

TaskRecord depending_on(Ids& ids, TaskId other) {
  auto task = queued_task(ids);
  auto spec = *task.spec;
  spec.depends_on = {other};
  task.spec = std::make_shared<const TaskSpec>(spec);
  return task;
}

}  // namespace

TEST_SUITE("SqliteJournal: load") {
  TEST_CASE("the epoch grows with every start") {
    TempDirectory directory;
    for (std::uint64_t start = 1; start <= 3; ++start) {
      World world(options_in(directory));
      CHECK(world.journal().load()->epoch == start);
    }
  }

  TEST_CASE("live tasks come back with everything, in the order they were admitted") {
    TempDirectory directory;
    Ids ids;
    const auto early = full_task(ids);
    auto late = queued_task(ids);
    const auto ended = queued_task(ids);
    {
      World world(options_in(directory));
      REQUIRE(world.commit({TaskAdmitted{late}, TaskAdmitted{ended}}));
      REQUIRE(world.commit({TaskAdmitted{early}}));
      REQUIRE(world.commit({change(ended, TaskState::Completed, 2)}));
    }
    World world(options_in(directory));
    const auto snapshot = world.journal().load();
    REQUIRE(snapshot);
    CHECK(same(snapshot->tasks, {late, early}));
  }

  TEST_CASE("a running task comes with its attempts") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = queued_task(ids);
    const AttemptRecord attempt{task.id,
                                1,
                                {1, 5},
                                "default/0",
                                "node",
                                at(1),
                                std::nullopt,
                                std::nullopt,
                                std::nullopt,
                                Reason::None,
                                0};
    REQUIRE(world.commit(
        {TaskAdmitted{task}, change(task, TaskState::Running, 2), AttemptPut{attempt}}));
    CHECK(same(world.journal().load()->tasks.at(0).attempts, {attempt}));
  }

  TEST_CASE("ended tasks come only where a live workflow or task needs them") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto live = pending_workflow(ids);
    const auto over = pending_workflow(ids);
    auto of_live = queued_task(ids);
    of_live.workflow = live.id;
    auto spec = *of_live.spec;
    spec.repo = "alpha";  // which cell of the workflow it was
    of_live.spec = std::make_shared<const TaskSpec>(spec);
    auto of_over = queued_task(ids);
    of_over.workflow = over.id;
    const auto needed = queued_task(ids);
    const auto lone = queued_task(ids);
    const auto waiting = depending_on(ids, needed.id);
    WorkflowStatus done{WorkflowState::Completed, 2, 1, 0, 0, 1, 0, 0, 0, at(1), at(2)};
    REQUIRE(world.commit({WorkflowAdmitted{live}, TaskAdmitted{of_live}}));
    REQUIRE(world.commit({WorkflowAdmitted{over}, TaskAdmitted{of_over}}));
    REQUIRE(world.commit({TaskAdmitted{needed}, TaskAdmitted{lone}, TaskAdmitted{waiting}}));
    REQUIRE(world.commit({failure(of_live), failure(of_over), failure(needed), failure(lone),
                          WorkflowChanged{over.id, done}}));
    const auto snapshot = world.journal().load();
    REQUIRE(snapshot);
    CHECK(ids_of(*snapshot) == std::vector{of_live.id, needed.id, waiting.id});
    CHECK(snapshot->tasks[0].spec->repo == "alpha");
    CHECK(snapshot->tasks[0].status.state == TaskState::Failed);
    CHECK(same(snapshot->workflows, {live}));
  }
}

}  // namespace mahavishnu::test
