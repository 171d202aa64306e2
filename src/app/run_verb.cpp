// `mahavishnu run … -- COMMAND…`: one command in every chosen repository, as a workflow of one
// step.
#include <charconv>
#include <iostream>

#include "app/client_session.h"
#include "app/settings.h"
#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

constexpr const char* kStep = "run";

Result<Json> over(const Arguments& arguments) {
  Json chosen = Json::object();
  if (arguments.has("all")) chosen["all"] = true;
  if (arguments.has("tag")) chosen["tag"] = arguments.value("tag");
  if (arguments.has("role")) chosen["role"] = arguments.value("role");
  if (arguments.has("repo")) chosen["repos"] = arguments.values("repo");
  if (chosen.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "say in which repositories: --all, --tag T, --role R or --repo N");
  }
  return chosen;
}

// `workflow_run`'s arguments. Several words are a program and its arguments; a single one with a
// space in it is a line for /bin/sh.
Result<Json> workflow_of(const Arguments& arguments) {
  if (!arguments.command() || arguments.command()->empty()) {
    return fail(ErrorCode::InvalidArgument,
                "say what to run behind `--`: mahavishnu run --all -- git status");
  }
  const auto& words = *arguments.command();
  auto chosen = over(arguments);
  if (!chosen) return fail(chosen.error());
  Json step = {{"id", kStep}};
  if (words.size() == 1 && words.front().find(' ') != std::string::npos) {
    step["command"] = words.front();
  } else {
    step["argv"] = words;
  }
  if (arguments.has("pool")) step["pool"] = arguments.value("pool");
  if (arguments.has("timeout")) {
    const auto limit = parse_duration(arguments.value("timeout"));
    if (!limit) return fail(ErrorCode::InvalidArgument, "--timeout: " + limit.error().message);
    step["timeouts"] = {{"run_ms", *limit}};
  }
  Json workflow = {{"steps", Json::array({step})}, {"over", *chosen}};
  if (arguments.has("jobs")) {
    const std::string& text = arguments.value("jobs");
    int jobs = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), jobs);
    if (error != std::errc() || end != text.data() + text.size() || jobs < 1) {
      return fail(ErrorCode::InvalidArgument,
                  "--jobs: \"" + text + "\" is not a number of jobs from 1");
    }
    workflow["max_parallel"] = jobs;
  }
  return workflow;
}

awaitable<int> start_and_watch(ToolDoor& tools, Json arguments, const Interrupt& interrupt) {
  const auto started = co_await tools.call("workflow_run", std::move(arguments));
  if (!started) co_return failed(started.error());
  co_return co_await watch_workflow(tools, started->value("workflow", ""), interrupt);
}

}  // namespace

awaitable<int> watch_workflow(ToolDoor& tools, std::string workflow, const Interrupt& interrupt) {
  const auto ended = co_await follow_workflow(tools, workflow, standard_screen(), interrupt);
  if (!ended) co_return failed(ended.error());
  const std::string state = ended->value("state", "");
  if (state != "completed") co_await print_failures(tools, workflow, std::cout);
  std::cout << "\n" << workflow << " " << state << ": " << workflow_counts(*ended) << std::endl;
  co_return state == "completed" ? 0 : 1;
}

int run_verb(const Arguments& arguments) {
  auto workflow = workflow_of(arguments);
  if (!workflow) {
    failed(workflow.error());
    return 2;
  }
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  return with_server(*setup, [&workflow](ToolDoor& tools, const Interrupt& interrupt) {
    return start_and_watch(tools, *workflow, interrupt);
  });
}

}  // namespace mahavishnu::app
