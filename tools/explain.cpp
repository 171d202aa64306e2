// Tool `explain`: why a task, pool or workflow is where it is.
#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/registry.h"

namespace mahavishnu::tools {
namespace {

base::awaitable<mcp::ToolResult> explain(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const std::string which(reader.exactly_one({"task", "pool", "workflow"}));
  const auto task = read_id<domain::TaskId>(reader, "task");
  const std::string pool = reader.text("pool");
  const auto workflow = read_id<domain::WorkflowId>(reader, "workflow");
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  base::Result<domain::Explanation> why;
  if (which == "task") {
    why = co_await context.service.explain_task(task);
  } else if (which == "workflow") {
    why = co_await context.service.explain_workflow(workflow);
  } else {
    why = context.service.explain_pool(pool);
  }
  if (!why) co_return fail(why.error());
  Json answer = explanation(*why);
  answer[which] = arguments[which];
  co_return rpc::dump(answer);
}

}  // namespace

std::vector<mcp::Tool> explain_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(context,
                            {"explain", "Explain why something waits",
                             "Why a task, pool or workflow is where it is: which limit, dependency "
                             "or state holds it, and what is "
                             "ahead. Use it when something does not start; task_get and its result "
                             "say why something failed."},
                            explain));
  return tools;
}

}  // namespace mahavishnu::tools
