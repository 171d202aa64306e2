#include <doctest/doctest.h>

#include "service_calls.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using domain::Reason;
using domain::TaskState;
using support::read;
using support::submitted;
using support::World;

namespace {

control::Service::WorkflowArgs workflow(std::vector<domain::StepSpec> steps) {
  control::Service::WorkflowArgs args;
  args.spec.steps = std::move(steps);
  args.spec.caller = "test";
  args.over.all = true;
  return args;
}

domain::StepSpec step(std::string id, std::vector<std::string> after = {}) {
  domain::StepSpec spec;
  spec.id = std::move(id);
  spec.work.command = "true";
  spec.depends_on = std::move(after);
  return spec;
}

domain::StepSpec call(std::string id, std::string tool) {
  domain::StepSpec spec;
  spec.id = std::move(id);
  spec.work.tool = std::move(tool);
  return spec;
}

void spawn_callers(World& world, const char* name) {
  domain::PoolSpec spec;
  spec.name = name;
  spec.type = spec.worker_type = "mcp";
  spec.settings.command = {"server"};
  spec.env = {{"KEY", "value"}};
  REQUIRE(world.run(world.service->spawn_pool(spec)));
}

control::Service::SubmitArgs tool(std::string name, std::string pool = "") {
  control::Service::SubmitArgs args;
  args.spec.work.tool = std::move(name);
  args.spec.work.arguments = R"({"query":"x"})";
  args.pool = std::move(pool);
  return args;
}

std::string refused(World& world, control::Service::SubmitArgs args) {
  const auto answer = world.run(world.service->submit(std::move(args)));
  return answer ? "" : answer.error().message;
}

}  // namespace

TEST_SUITE("service: tools of other servers") {
  TEST_CASE("a tool goes to the only pool of type mcp, with the settings of that pool") {
    World world;
    spawn_callers(world, "buddy");
    submitted(world, tool("search"));
    REQUIRE(world.callers.started().size() == 1);
    CHECK(world.executor.started().empty());
    const auto& order = world.callers.attempt(world.callers.started().front()).order;
    CHECK(order.work.tool == "search");
    CHECK(order.work.arguments == R"({"query":"x"})");
    CHECK(order.settings.command == std::vector<std::string>{"server"});
    CHECK(order.work.env.at("KEY") == "value");
  }

  TEST_CASE("without such a pool, or with several, it has to be named") {
    World world;
    CHECK(refused(world, tool("search")) ==
          "tool \"search\" needs a pool of type mcp: there is none; make one with pool_spawn");
    spawn_callers(world, "buddy");
    spawn_callers(world, "other");
    CHECK(refused(world, tool("search")) ==
          "tool \"search\" needs a pool of type mcp: name one of \"buddy\", \"other\"");
    submitted(world, tool("search", "other"));
    CHECK(world.callers.started().size() == 1);
  }

  TEST_CASE("tools and commands do not go to each other's pools") {
    World world;
    spawn_callers(world, "buddy");
    CHECK(refused(world, tool("search", "default")).find("\"buddy\"") != std::string::npos);
    auto args = World::command("true");
    args.pool = "buddy";
    CHECK(refused(world, args).find("calls tools of an MCP server") != std::string::npos);
    CHECK(refused(world, tool("search", "gone")).find("no pool \"gone\"") != std::string::npos);
  }

  TEST_CASE("steps of a workflow are placed and refused alike") {
    World world;
    auto none = world.run(world.service->run_workflow(workflow({call("ask", "search")})));
    REQUIRE(!none);
    CHECK(none.error().message.starts_with("step \"ask\": tool \"search\" needs a pool"));
    spawn_callers(world, "buddy");
    world.executor.end_on_start = world.callers.end_on_start = true;
    auto mixed = workflow({step("test"), call("ask", "search")});
    mixed.step_pools["test"] = "buddy";
    auto wrong = world.run(world.service->run_workflow(mixed));
    REQUIRE(!wrong);
    CHECK(wrong.error().message.starts_with("step \"test\": pool \"buddy\" calls tools"));
    auto started =
        world.run(world.service->run_workflow(workflow({step("test"), call("ask", "search")})));
    REQUIRE_MESSAGE(started, started.error().message);
    world.poll();
    CHECK(world.executor.started().size() == 3);
    CHECK(world.callers.started().size() == 3);
  }

  TEST_CASE("what a pool lacks is asked once in a while, and one that hangs costs its limit") {
    World world;
    spawn_callers(world, "buddy");
    const auto id = world.service->pool("buddy")->record.id;
    const auto shell = world.service->pool("default")->record.id;
    world.callers.missing = domain::StringMap{{"buddy", "no server"}};
    auto ask = [&] { return world.start(world.service->pool_problems({id, shell}, Millis{1000})); };
    CHECK((*ask())->at(id) == "no server");
    CHECK((*ask())->size() == 1);
    CHECK(world.callers.examined == 1);
    CHECK(world.executor.examined == 0);
    CHECK(world.callers.examined_env.at("KEY") == "value");
    world.advance(Millis{30000});
    world.callers.missing.reset();
    const auto slow = ask();
    CHECK_FALSE(slow->has_value());
    world.advance(Millis{1000});
    CHECK((*slow)->empty());
  }
}

TEST_SUITE("service: workflows and pools") {
  TEST_CASE("a workflow runs each step in each repository and completes") {
    World world;
    world.executor.end_on_start = true;
    auto started =
        world.run(world.service->run_workflow(workflow({step("test"), step("lint", {"test"})})));
    REQUIRE_MESSAGE(started, started.error().message);
    world.poll();
    auto record = world.run(world.service->workflow(started->workflow));
    CHECK((*record)->status.state == domain::WorkflowState::Completed);
    CHECK((*record)->status.completed == 6);
    CHECK(world.executor.started().size() == 6);
  }

  TEST_CASE("a workflow over nothing is refused") {
    World world;
    auto args = workflow({step("test")});
    args.over = {};
    args.over.tag = "python";
    auto started = world.run(world.service->run_workflow(std::move(args)));
    REQUIRE(!started);
    CHECK(started.error().code == ErrorCode::InvalidArgument);
  }

  TEST_CASE("cancelling a workflow stops what runs and what waits") {
    World world;
    auto started = world.run(world.service->run_workflow(workflow({step("a"), step("b", {"a"})})));
    auto call = world.start(world.service->cancel_workflow(started->workflow, Millis{10000}));
    for (const auto fence : std::vector(world.executor.started())) {
      world.executor.end(fence, Reason::CancelledByCaller, std::nullopt);
    }
    world.poll();
    REQUIRE(call->has_value());
    CHECK((**call).value().items.size() == 6);
    auto record = world.run(world.service->workflow(started->workflow));
    CHECK((*record)->status.state == domain::WorkflowState::Cancelled);
  }

  TEST_CASE("closing a pool waits for what it runs") {
    World world;
    domain::PoolSpec spec;
    spec.name = "p";
    REQUIRE(world.run(world.service->spawn_pool(spec)));
    auto args = World::command("true");
    args.pool = "p";
    submitted(world, args);
    auto call = world.start(world.service->close_pool("p", false, Millis{10000}));
    CHECK(!call->has_value());
    world.executor.end(world.executor.started().front(), Reason::Ok, 0);
    world.poll();
    REQUIRE(call->has_value());
    CHECK((**call).value().finished == 1);
    CHECK(!world.service->pool("p"));
  }

  TEST_CASE("draining stops what does not end within the grace, as lost") {
    World world;
    const auto id = submitted(world, World::command("sleep 100"));
    asio::co_spawn(world.io, world.service->drain(Millis{1000}), asio::detached);
    world.poll();
    auto refused = world.start(world.service->submit(World::command("true")));
    REQUIRE(refused->has_value());
    CHECK((**refused).error().code == ErrorCode::Unavailable);
    world.advance(Millis{1000});
    const auto fence = world.executor.started().front();
    CHECK(world.executor.attempt(fence).stop == Reason::Lost);
    world.executor.end(fence, Reason::Lost, std::nullopt);
    world.poll();
    CHECK(read(world, id)->status.reason == Reason::Lost);
  }

  TEST_CASE("a next life adopts what still runs and runs what was queued") {
    World former;
    domain::PoolSpec spec;
    spec.name = "one";
    spec.max_workers = 1;
    REQUIRE(former.run(former.service->spawn_pool(spec)));
    auto args = World::command("true");
    args.pool = "one";
    const auto running = submitted(former, args);
    const auto queued = submitted(former, args);
    const auto fence = former.executor.started().front();
    World world({}, former.journal.snapshot(2), {{running, 1, fence}}, &former.journal);
    CHECK(world.executor.started().empty());
    world.executor.end(fence, Reason::Ok, 0);
    world.poll();
    CHECK(world.executor.started().size() == 1);
    CHECK(read(world, running)->status.state == TaskState::Completed);
    CHECK(world.executor.attempt(world.executor.started().front()).order.task == queued);
  }
}

TEST_SUITE("service: explain and metrics") {
  TEST_CASE("a task that ended is explained from its record") {
    World world;
    const auto id = submitted(world, World::command("false"));
    world.executor.end(world.executor.started().front(), Reason::ExitCode, 1);
    world.poll();
    const auto explanation = world.run(world.service->explain_task(id));
    REQUIRE(explanation);
    CHECK(explanation->state == "failed");
    CHECK(explanation->sentence.starts_with(id.str() + " is failed (exit_code) since 2023-"));
    const auto unknown = world.run(world.service->explain_task(domain::TaskId{{1, 1}}));
    CHECK(unknown.error().code == ErrorCode::NotFound);
  }

  TEST_CASE("a workflow is explained while it lives and after it ended") {
    World world;
    auto started = world.run(world.service->run_workflow(workflow({step("a")})));
    CHECK(world.run(world.service->explain_workflow(started->workflow))->state == "running");
    for (const auto fence : std::vector(world.executor.started())) {
      world.executor.end(fence, Reason::Ok, 0);
    }
    world.poll();
    const auto ended = world.run(world.service->explain_workflow(started->workflow));
    REQUIRE(ended);
    CHECK(ended->sentence ==
          started->workflow.str() + " is completed: 3 of 3 cells completed, 0 failed, 0 skipped");
    const auto unknown = world.run(world.service->explain_workflow(domain::WorkflowId{{1, 1}}));
    CHECK(unknown.error().code == ErrorCode::NotFound);
  }

  TEST_CASE("a workflow is waited for, until its end or its first change") {
    World world;
    auto started = world.run(world.service->run_workflow(workflow({step("a")})));
    auto end = world.start(world.service->workflow(started->workflow, {Millis{1000}, false}));
    auto change = world.start(world.service->workflow(started->workflow, {Millis{1000}, true}));
    const auto fences = std::vector(world.executor.started());
    world.executor.end(fences[0], Reason::Ok, 0);
    world.poll();
    CHECK(change->has_value());
    CHECK(!end->has_value());
    for (std::size_t i = 1; i < fences.size(); ++i) world.executor.end(fences[i], Reason::Ok, 0);
    world.poll();
    REQUIRE(end->has_value());
    CHECK((***end)->status.state == domain::WorkflowState::Completed);
  }

  TEST_CASE("metrics hold what was clocked, counted and what lives now") {
    control::ServiceOptions options;
    options.more_metrics = [](control::Metrics& metrics) { metrics.gauges["rss_bytes"] = 5; };
    World world(std::move(options));
    submitted(world, World::command("true"));
    world.service->clocked("repo_list", std::chrono::microseconds{100}, true);
    world.service->clocked("repo_list", std::chrono::microseconds{100}, false);
    world.service->clocked(control::Stage::Schema, std::chrono::microseconds{10});
    const auto metrics = world.service->metrics(Millis{300000});
    CHECK(metrics.latency.at("repo_list").count == 2);
    CHECK(metrics.counters.at("failed.repo_list") == 1);
    CHECK(metrics.totals.at("stage.schema").count == 1);
    CHECK(metrics.counters.at("tasks.admitted") == 1);
    CHECK(metrics.gauges.at("tasks.running") == 1);
    CHECK(metrics.gauges.at("rss_bytes") == 5);
    CHECK(world.service->counts().running == 1);
    CHECK(world.service->check() == "");
    CHECK_FALSE(world.service->idle());
  }
}

TEST_SUITE("service: bounds") {
  TEST_CASE("a bound caller runs work only inside its bounds, others anywhere") {
    control::ServiceOptions options;
    options.allowed_paths = {"/tmp"};
    options.bounds_of = [](const std::string& caller) -> domain::BoundsPtr {
      if (caller != "bound") return nullptr;
      return std::make_shared<const domain::Bounds>(domain::Bounds{{"default"}, {}, {"node"}});
    };
    World world(std::move(options));
    const auto outcome = [&](const char* caller, const char* repo, const char* cwd = "") {
      auto args = World::command("true");
      args.spec.caller = caller;
      args.spec.repo = repo;
      args.spec.work.cwd = cwd;
      auto submitted = world.run(world.service->submit(std::move(args)));
      return submitted ? std::string("in") : std::string(base::to_string(submitted.error().code));
    };
    CHECK(outcome("bound", "api") == "in");
    CHECK(outcome("bound", "a") == "in");
    CHECK(outcome("bound", "ops") == "Denied");
    CHECK(outcome("bound", "") == "Denied");
    CHECK(outcome("bound", "api", "/tmp") == "Denied");
    CHECK(outcome("free", "ops") == "in");
    CHECK(outcome("free", "api", "/tmp") == "in");
    auto run = workflow({step("one")});
    run.spec.caller = "bound";
    auto denied = world.run(world.service->run_workflow(run));
    REQUIRE(!denied);
    CHECK(denied.error().code == ErrorCode::Denied);
    run.over = {};
    run.over.tag = "node";
    CHECK(world.run(world.service->run_workflow(run)));
  }

  TEST_CASE("a bound caller cancels only what it handed in") {
    control::ServiceOptions options;
    options.bounds_of = [](const std::string& caller) -> domain::BoundsPtr {
      if (caller != "bound") return nullptr;
      return std::make_shared<const domain::Bounds>(domain::Bounds{{}, {"api"}, {}});
    };
    World world(std::move(options));
    auto args = World::command("true");
    args.spec.repo = "api";
    const auto theirs = submitted(world, args);
    args.spec.caller = "bound";
    const auto own = submitted(world, args);
    const auto cancel = [&](control::Service::CancelArgs what) {
      what.by = "bound";
      return world.run(world.service->cancel(std::move(what), Millis{0}));
    };
    CHECK(cancel({{own, theirs}, std::nullopt, ""}).error().code == ErrorCode::Denied);
    domain::CancelMatching all;
    all.caller = "test";
    CHECK(cancel({{}, all, ""}).error().code == ErrorCode::Denied);
    all.caller.clear();
    const auto done = cancel({{}, all, ""});
    REQUIRE(done);
    REQUIRE(done->items.size() == 1);
    CHECK(done->items[0].task == own);
    CHECK(world.run(world.service->cancel({{theirs}, std::nullopt, "free"}, Millis{0})));
  }
}
