// Resources: tasks, their output, workflows, pools, repositories, metrics.
#include <algorithm>
#include <utility>

#include "rpc/codec.h"
#include "tools/durable_tasks.h"
#include "tools/json_views.h"
#include "tools/offer.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

using base::ErrorCode;
using base::fail;
using Contents = std::vector<mcp::ResourceContents>;
using Reading = base::awaitable<base::Result<Contents>>;

constexpr const char* kJsonType = "application/json";
constexpr const char* kTextType = "text/plain";
constexpr std::string_view kScheme = "mahavishnu://";
constexpr int kMostRepositories = 500;  // that a name is looked for among

Contents one(std::string uri, const char* type, std::string body) {
  Contents contents;
  contents.push_back({std::move(uri), type, std::move(body), false});
  return contents;
}

// What the tool answers whose arguments are named as the template's variables.
Reading read_tool(mcp::ToolHandler handler, std::string uri, mcp::UriVariables values,
                  mcp::Call& call) {
  Json arguments = Json::object();
  for (const auto& [name, value] : values) arguments[name] = value;
  auto answer = co_await handler(std::move(arguments), call);
  if (!answer) co_return fail(answer.error());
  co_return one(std::move(uri), kJsonType, std::move(*answer));
}

Reading read_task(Context& context, std::string uri, mcp::UriVariables values) {
  const auto id = domain::TaskId::parse(values["task"]);
  if (!id) co_return fail(id.error());
  const auto task = co_await context.service.task(*id);
  if (!task) co_return fail(task.error());
  co_return one(std::move(uri), kJsonType, rpc::dump(task_view(**task, context.timers.now().wall)));
}

// The end of it, while it runs and afterwards.
Reading read_output(Context& context, std::string uri, mcp::UriVariables values) {
  const auto id = domain::TaskId::parse(values["task"]);
  if (!id)
    co_return fail(ErrorCode::NotFound, "\"" + values["task"] + "\" is not the id of a task");
  control::OutputQuery query;
  while (true) {
    auto chunk = co_await context.service.output(*id, query);
    if (!chunk) co_return fail(chunk.error());
    const std::size_t shown = std::min(query.max_bytes, chunk->text.size());
    const auto fewer = fewer_bytes(shown, estimated_tokens(rpc::dump(chunk->text)));
    if (!fewer) co_return one(std::move(uri), kTextType, std::move(chunk->text));
    query.max_bytes = *fewer;
  }
}

Reading read_pool(Context& context, std::string uri, mcp::UriVariables values) {
  const auto pool = context.service.pool(values["pool"]);
  if (!pool) co_return fail(pool.error());
  co_return one(std::move(uri), kJsonType, rpc::dump(pool_view(*pool)));
}

Reading read_repo(Context& context, mcp::ToolHandler list, std::string uri,
                  mcp::UriVariables values, mcp::Call& call) {
  const auto index = context.service.repositories();
  const auto repository = index->find(values["name"]);
  if (!repository) co_return fail(repository.error());
  const std::string& name = (*repository)->name;
  Json arguments{{"query", name}, {"limit", kMostRepositories}};
  auto answer = co_await list(std::move(arguments), call);
  if (!answer) co_return fail(answer.error());
  const Json found = Json::parse(*answer);
  for (const Json& item : found["items"]) {
    if (item["name"] == name) co_return one(std::move(uri), kJsonType, rpc::dump(item));
  }
  co_return fail(ErrorCode::Unavailable,
                 "too many repositories are named like " + name + "; ask repo_list");
}

const mcp::ToolHandler& handler_of(const std::vector<mcp::Tool>& tools, std::string_view name) {
  for (const mcp::Tool& tool : tools) {
    if (tool.name == name) return tool.handler;
  }
  static const mcp::ToolHandler kNone;
  return kNone;
}

mcp::ResourceReader by_tool(const std::vector<mcp::Tool>& tools, std::string_view name) {
  return [handler = handler_of(tools, name)](std::string uri, mcp::UriVariables values,
                                             mcp::Call& call) {
    return read_tool(handler, std::move(uri), std::move(values), call);
  };
}

using Complete = Completion (*)(Context&, std::string);

mcp::Completer completer(Context& context, Complete complete) {
  return [&context, complete](std::string, std::string begun, mcp::Arguments, mcp::Call&) {
    return complete(context, std::move(begun));
  };
}

struct About {
  const char* path;  // after the scheme
  const char* name;
  const char* title;
  const char* description;
  const char* type = kJsonType;
};

mcp::ResourceTemplate make(Context& context, const About& about, mcp::ResourceReader read,
                           Complete complete) {
  mcp::ResourceTemplate made;
  made.uri_template = std::string(kScheme) + about.path;
  made.name = about.name;
  made.title = about.title;
  made.description = about.description;
  made.mime_type = about.type;
  made.read = std::move(read);
  made.complete = completer(context, complete);
  return made;
}

}  // namespace

std::string task_uri(domain::TaskId task) { return std::string(kScheme) + "task/" + task.str(); }
std::string output_uri(domain::TaskId task) { return task_uri(task) + "/output"; }
std::string workflow_uri(domain::WorkflowId workflow) {
  return std::string(kScheme) + "workflow/" + workflow.str();
}
std::string pool_uri(std::string_view name_or_id) {
  return std::string(kScheme) + "pool/" + std::string(name_or_id);
}

void add_resources(Context& context, const std::vector<mcp::Tool>& tools, mcp::Offer& offer) {
  mcp::Resource metrics;
  metrics.uri = std::string(kScheme) + "metrics";
  metrics.name = "metrics";
  metrics.title = "Metrics";
  metrics.description = "Latencies, throughput, queues, drops and caches, as metrics_get answers.";
  metrics.mime_type = kJsonType;
  metrics.read = by_tool(tools, "metrics_get");
  offer.resources.push_back(std::move(metrics));

  offer.templates.push_back(make(
      context,
      {"task/{task}", "task", "Task", "State, attempts and result, as task_get answers, whole."},
      [&context](std::string uri, mcp::UriVariables values, mcp::Call&) {
        return read_task(context, std::move(uri), std::move(values));
      },
      complete_task));
  offer.templates.push_back(make(
      context,
      {"task/{task}/output", "task-output", "Output of a task",
       "The end of what it wrote, live while it runs; task_output reads all of it.", kTextType},
      [&context](std::string uri, mcp::UriVariables values, mcp::Call&) {
        return read_output(context, std::move(uri), std::move(values));
      },
      complete_task));
  offer.templates.push_back(make(context,
                                 {"workflow/{workflow}", "workflow", "Workflow",
                                  "Progress and cells, failures first, as workflow_get answers."},
                                 by_tool(tools, "workflow_get"), complete_workflow));
  offer.templates.push_back(make(
      context, {"pool/{pool}", "pool", "Pool", "Workers and queue, as pool_list answers."},
      [&context](std::string uri, mcp::UriVariables values, mcp::Call&) {
        return read_pool(context, std::move(uri), std::move(values));
      },
      complete_pool));
  offer.templates.push_back(make(
      context,
      {"repo/{name}", "repo", "Repository", "Path, tags, branch and commit, as repo_list answers."},
      [&context, list = handler_of(tools, "repo_list")](std::string uri, mcp::UriVariables values,
                                                        mcp::Call& call) {
        return read_repo(context, list, std::move(uri), std::move(values), call);
      },
      complete_repo));
  offer.resources_update = true;
}

mcp::Offer offer(Context& context, const std::vector<mcp::Tool>& tools) {
  mcp::Offer made;
  add_resources(context, tools, made);
  made.prompts = prompts(context);
  if (context.tasks != nullptr) {
    context.tasks->use(tools);
    made.tasks = {context.tasks, "task_get", "pool_close", "task_cancel"};
  }
  return made;
}

}  // namespace mahavishnu::tools
