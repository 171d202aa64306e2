#include <doctest/doctest.h>

#include "domain/desk.h"
#include "domain/planner.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;

namespace {

StepSpec step(std::string id, std::vector<std::string> needs = {}, When when = When::Succeeded,
              Each each = Each::Repo, OnFailure on_failure = OnFailure::Stop) {
  StepSpec spec;
  spec.id = std::move(id);
  spec.depends_on = std::move(needs);
  spec.when = when;
  spec.each = each;
  spec.on_failure = on_failure;
  return spec;
}

WorkflowSpec over(std::vector<std::string> repos, std::vector<StepSpec> steps) {
  WorkflowSpec spec;
  for (const std::string& repo : repos) spec.repos.push_back({repo, "/src/" + repo});
  spec.steps = std::move(steps);
  return spec;
}

// Runs a workflow; a cell "step@repo" ends as `ends` says, Ok otherwise.
struct Runner : Desk {
  std::map<std::string, Reason> ends;
  std::map<std::string, TaskId> cells;
  WorkflowId id;

  WorkflowState go(const WorkflowSpec& spec) {
    start(spec);
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto wish = ends.find(name_of(order[i]));
      end(order[i], wish == ends.end() ? Reason::Ok : wish->second);
    }
    CHECK(problem == "");
    CHECK(ended_workflows == std::vector<WorkflowId>{id});
    return workflows.at(id).state;
  }
  void start(const WorkflowSpec& spec) {
    pool("default", 8);
    id = run(spec);
    for (const TaskRecord& task : admitted) {
      cells[task.step + (task.spec->repo.empty() ? "" : "@" + task.spec->repo)] = task.id;
    }
  }
  std::string name_of(TaskId task) const {
    for (const auto& [name, cell] : cells) {
      if (cell == task) return name;
    }
    return "";
  }
  bool ran(const std::string& cell) const { return starts.contains(cells.at(cell)); }
  TaskState state_of(const std::string& cell) const { return state(cells.at(cell)); }
};

std::string refusal(const WorkflowSpec& spec) { return Plan::make(spec).error().message; }

}  // namespace

TEST_SUITE_BEGIN("Plan");

TEST_CASE("cells are steps times repositories, once steps counted once") {
  const auto spec =
      over({"a", "b", "c"}, {step("x"), step("sum", {"x"}, When::Always, Each::Once)});
  CHECK(Core::cells_of(spec).value() == 4);
}

TEST_CASE("a cycle is refused and spelled out") {
  const auto spec = over({"a"}, {step("x", {"z"}), step("y", {"x"}), step("z", {"y"})});
  CHECK(refusal(spec) == "the steps wait for each other in a circle: x → z → y → x");
  CHECK(refusal(over({"a"}, {step("x", {"x"})})) ==
        "the steps wait for each other in a circle: x → x");
}

TEST_CASE("unknown and repeated steps, bad ids and empty workflows are refused") {
  CHECK(refusal(over({"a"}, {step("build"), step("test", {"biuld"})})) ==
        "step \"test\" depends on \"biuld\", which is no step; did you mean \"build\"?");
  CHECK(refusal(over({"a"}, {step("x"), step("x")})) == "two steps are called \"x\"; rename one");
  CHECK(refusal(over({"a"}, {step("a b")})).find("is not one to 64 of") != std::string::npos);
  CHECK(refusal(over({}, {step("x")})) == "the workflow has no repository to run over");
  CHECK(refusal(over({"a"}, {})) == "the workflow has no step; give at least one");
}

TEST_CASE("too many cells are refused") {
  std::vector<std::string> repos(101, "r");
  std::vector<StepSpec> steps;
  for (int i = 0; i < 1000; ++i) steps.push_back(step("s" + std::to_string(i)));
  CHECK(refusal(over(repos, steps)).find("more than 100000 tasks") != std::string::npos);
  steps.push_back(step("one-more"));
  CHECK(refusal(over({"a"}, steps)).find("1001 steps") != std::string::npos);
}

TEST_SUITE_END();

TEST_SUITE_BEGIN("a workflow");

TEST_CASE("every step runs in every repository, each after what it needs there") {
  Runner runner;
  const auto spec = over({"a", "b"}, {step("build"), step("test", {"build"})});
  runner.start(spec);
  CHECK(runner.admission == false);
  CHECK(runner.ran("build@a"));
  CHECK(runner.ran("build@b"));
  CHECK_FALSE(runner.ran("test@a"));
  runner.end(runner.cells["build@a"]);
  CHECK(runner.ran("test@a"));
  CHECK_FALSE(runner.ran("test@b"));
}

TEST_CASE("all completed: it is completed, and its counts say so") {
  Runner runner;
  CHECK(runner.go(over({"a", "b"}, {step("build"), step("test", {"build"})})) ==
        WorkflowState::Completed);
  CHECK(runner.workflows.at(runner.id).completed == 4);
  CHECK(runner.workflows.at(runner.id).ended.has_value());
  CHECK(runner.core.counts().workflows == 0);
}

TEST_CASE("one repository fails: its later steps are skipped, clean-up runs, the rest goes on") {
  Runner runner;
  runner.ends["test@b"] = Reason::ExitCode;
  const auto spec = over(
      {"a", "b"}, {step("test"), step("deploy", {"test"}), step("clean", {"deploy"}, When::Always),
                   step("summary", {"clean"}, When::Always, Each::Once)});
  CHECK(runner.go(spec) == WorkflowState::Partial);
  CHECK(runner.ran("deploy@a"));
  CHECK_FALSE(runner.ran("deploy@b"));
  CHECK(runner.state_of("deploy@b") == TaskState::Cancelled);
  CHECK(runner.reason(runner.cells["deploy@b"]) == Reason::DependencyFailed);
  CHECK(runner.ran("clean@b"));
  CHECK(runner.order.back() == runner.cells["summary"]);
  const WorkflowStatus& status = runner.workflows.at(runner.id);
  CHECK(status.failed == 1);
  CHECK(status.skipped == 1);
  CHECK(status.completed == 5);
}

TEST_CASE("no repository got through: it has failed") {
  Runner runner;
  runner.ends = {{"x@a", Reason::ExitCode}, {"x@b", Reason::Lost}};
  CHECK(runner.go(over({"a", "b"}, {step("x")})) == WorkflowState::Failed);
}

TEST_CASE("when: failed runs only after a failure, and idle it is no failure") {
  const auto spec = over({"a", "b"}, {step("x"), step("undo", {"x"}, When::Failed)});
  Runner good;
  CHECK(good.go(spec) == WorkflowState::Completed);
  CHECK(good.workflows.at(good.id).skipped == 2);
  Runner bad;
  bad.ends["x@a"] = Reason::ExitCode;
  CHECK(bad.go(spec) == WorkflowState::Partial);
  CHECK(bad.ran("undo@a"));
  CHECK_FALSE(bad.ran("undo@b"));
}

TEST_CASE("what follows an idle step does not run, and is no failure either") {
  Runner runner;
  const auto spec =
      over({"a"}, {step("x"), step("undo", {"x"}, When::Failed), step("tell", {"undo"})});
  CHECK(runner.go(spec) == WorkflowState::Completed);
  CHECK_FALSE(runner.ran("tell@a"));
}

TEST_CASE("on_failure: continue lets the next steps run as if it had succeeded") {
  Runner runner;
  runner.ends["lint@a"] = Reason::ExitCode;
  const auto spec = over({"a"}, {step("lint", {}, When::Succeeded, Each::Repo, OnFailure::Continue),
                                 step("test", {"lint"})});
  CHECK(runner.go(spec) == WorkflowState::Partial);
  CHECK(runner.ran("test@a"));
}

TEST_CASE("on_failure: stop keeps independent steps of that repository from starting") {
  Runner runner;
  runner.pool("default", 8);
  WorkflowSpec spec = over({"a", "b"}, {step("x"), step("y")});
  runner.ends["x@a"] = Reason::ExitCode;  // one task a repository at a time: y@a waits for it
  runner.go(spec);
  CHECK_FALSE(runner.ran("y@a"));
  CHECK(runner.ran("y@b"));
}

TEST_CASE("on_failure: stop_all keeps every further step from starting") {
  Runner runner;
  runner.ends["x@a"] = Reason::ExitCode;
  const auto spec =
      over({"a", "b"}, {step("x", {}, When::Succeeded, Each::Repo, OnFailure::StopAll),
                        step("y", {"x"}), step("clean", {"y"}, When::Always)});
  CHECK(runner.go(spec) == WorkflowState::Failed);
  CHECK_FALSE(runner.ran("y@b"));
  CHECK(runner.ran("clean@a"));
  CHECK(runner.ran("clean@b"));
}

TEST_CASE("max_parallel holds it to so many tasks at once") {
  Runner runner;
  WorkflowSpec spec = over({"a", "b", "c", "d"}, {step("x")});
  spec.max_parallel = 2;
  runner.start(spec);
  CHECK(runner.order.size() == 2);
  CHECK(runner.core.explain(runner.cells["x@d"], runner.now)->blocked_by == "workflow_limit");
  runner.end(runner.order[0]);
  CHECK(runner.order.size() == 3);
}

TEST_CASE("a once step is told how the cells it waited for came out") {
  Runner runner;
  runner.ends["x@b"] = Reason::ExitCode;
  runner.go(over({"a", "b", "c"},
                 {step("x"), step("y", {"x"}), step("sum", {"x", "y"}, When::Always, Each::Once)}));
  const StringMap& env = runner.starts.at(runner.cells["sum"]).env;
  CHECK(env.at("MAHAVISHNU_WORKFLOW") == runner.id.str());
  CHECK(env.at("MAHAVISHNU_STEP") == "sum");
  CHECK(env.at("MAHAVISHNU_CELLS_COMPLETED") == "4");
  CHECK(env.at("MAHAVISHNU_CELLS_FAILED") == "1");
  CHECK(env.at("MAHAVISHNU_CELLS_SKIPPED") == "1");
  CHECK_FALSE(runner.starts.at(runner.cells["x@a"]).env.contains("MAHAVISHNU_CELLS_FAILED"));
}

TEST_CASE("cancelled, it stops what runs, cancels what waits, and ends as cancelled") {
  Runner runner;
  runner.start(over({"a", "b"}, {step("x"), step("y", {"x"})}));
  runner.step(CancelWorkflow{++runner.ticket, runner.id});
  runner.settle();
  CHECK(runner.answer<CancelAnswer>().cancelled.size() == 4);
  CHECK(runner.stops.size() == 2);
  CHECK(runner.workflows.at(runner.id).state == WorkflowState::Running);
  runner.end(runner.cells["x@a"], Reason::CancelledByCaller);
  runner.end(runner.cells["x@b"], Reason::CancelledByCaller);
  CHECK(runner.workflows.at(runner.id).state == WorkflowState::Cancelled);
  CHECK(runner.workflows.at(runner.id).cancelled == 4);
}

TEST_CASE("it and all its tasks are one commit; refused by the disk, nothing of it is left") {
  Desk desk;
  desk.pool();
  const auto spec = over({"a", "b"}, {step("x"), step("y", {"x"})});
  SubmitWorkflow event{++desk.ticket,
                       WorkflowId{desk.ids.next(desk.now.wall)},
                       std::make_shared<const WorkflowSpec>(spec),
                       {}};
  for (int i = 0; i < 4; ++i) event.ids.push_back(TaskId{desk.ids.next(desk.now.wall)});
  desk.step(event);
  CHECK(desk.admission);
  CHECK(desk.admitted.size() == 4);
  CHECK(desk.core.counts().live == 4);
  desk.step(PersistFailed{desk.last_commit, Error{ErrorCode::Exhausted, "disk full", 0}});
  CHECK(desk.core.counts().live == 0);
  CHECK(desk.core.counts().workflows == 0);
  CHECK(desk.answer<Error>().message == "disk full");
  CHECK(desk.problem == "");
}

TEST_CASE("without room for what can start at once none of it is admitted") {
  Desk desk;
  desk.pool("default", 1, 2);
  desk.run(over({"a", "b", "c"}, {step("x")}));
  CHECK(desk.answer<Error>().code == ErrorCode::Exhausted);
  CHECK(desk.core.counts().live == 0);
  desk.run(over({"a", "b"}, {step("x"), step("y", {"x"})}));
  CHECK_FALSE(desk.refused());
}

TEST_CASE("the steps of a repository stay in the pool its first one went to") {
  Desk desk;
  desk.pool("p", 2);
  desk.pool("q", 2);
  desk.run(over({"a", "b", "c", "d"}, {step("x"), step("y", {"x"})}));
  std::map<std::string, PoolId> home;
  std::map<PoolId, int> load;
  for (const TaskRecord& task : desk.admitted) {
    if (task.step == "x") home[task.spec->repo] = task.pool;
    if (task.step == "y") CHECK(task.pool == home[task.spec->repo]);
    ++load[task.pool];
  }
  CHECK(load.size() == 2);
}

TEST_SUITE_END();
