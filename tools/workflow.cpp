// Tools `workflow_run`, `workflow_get`, `workflow_list`, `workflow_cancel`: steps fanned out over
// repositories. Every step in every repository is a task, shown as a cell.
#include "rpc/codec.h"
#include "tools/durable_tasks.h"
#include "tools/follow.h"
#include "tools/inputs.h"
#include "tools/listing.h"
#include "tools/lookups.h"

namespace mahavishnu::tools {
namespace {

using Cells = domain::Listing<domain::TaskRecord>;

// All of a workflow that has just begun, as the archive would list them and without asking it.
// Nothing when there are more than fit, one has failed already, or one has left the cache.
std::optional<Cells> cells_at_hand(const Context& context, const std::vector<domain::TaskId>& ids,
                                   const domain::Page& page) {
  if (ids.empty() || static_cast<std::size_t>(page.limit) < ids.size()) return std::nullopt;
  Cells cells;
  for (auto id = ids.rbegin(); id != ids.rend(); ++id) {
    const auto cell = context.service.cached_task(*id);
    if (cell == nullptr || cell->status.state == domain::TaskState::Failed ||
        cell->status.state == domain::TaskState::Dead) {
      return std::nullopt;
    }
    cells.items.push_back(*cell);
  }
  return cells;
}

base::awaitable<base::Result<Cells>> list_cells(Context& context, domain::TaskFilter filter,
                                                std::vector<domain::TaskId> begun,
                                                domain::Page page) {
  if (auto cells = cells_at_hand(context, begun, page)) co_return std::move(*cells);
  co_return co_await context.service.tasks(std::move(filter), std::move(page));
}

// `begun`: the cells of a workflow that has just begun, or none.
base::awaitable<mcp::ToolResult> with_cells(Context& context, Json head, domain::TaskFilter filter,
                                            domain::Page page, std::vector<domain::TaskId> begun) {
  filter.failures_first = true;
  Fetch<domain::TaskRecord> fetch = [&context, filter,
                                     begun = std::move(begun)](domain::Page wanted) {
    return list_cells(context, filter, begun, std::move(wanted));
  };
  co_return co_await list_page<domain::TaskRecord>(std::move(fetch), std::move(page),
                                                   std::move(head), "cells", cell_view);
}

base::awaitable<mcp::ToolResult> workflow_run(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  auto args = read_workflow(reader, Asker::of(call));
  const Wait wait = read_wait(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto started = co_await context.service.run_workflow(std::move(args));
  if (!started) co_return fail(started.error());
  const bool demanded = call.task_wish() == mcp::TaskWish::Demanded;
  const Wait held = demanded ? Wait{} : wait;
  auto workflow = co_await follow_workflow(context, started->workflow, held, call);
  if (!workflow) co_return fail(workflow.error());
  const bool over = domain::is_terminal((*workflow)->status.state);
  if (becomes_task(context, call, over, wait.until_change)) {
    co_return fail(call.hand_over(context.tasks->view(**workflow, call.caller())));
  }
  Json head = workflow_view(**workflow);
  head["existing"] = started->existing;
  domain::TaskFilter cells;
  cells.workflow = started->workflow;
  domain::Page page;
  co_return co_await with_cells(context, std::move(head), std::move(cells), std::move(page),
                                std::move(started->cells));
}

base::awaitable<mcp::ToolResult> workflow_get(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::TaskFilter cells;
  static_cast<void>(reader.required_text("workflow"));
  cells.workflow = read_id<domain::WorkflowId>(reader, "workflow");
  if (reader.has("state")) {
    cells.states.push_back(
        reader.choice("state", domain::TaskState::Queued, domain::parse_task_state, kTaskStates));
  }
  cells.repo = canonical_repo(context, reader.text("repo"));
  cells.step = reader.text("step");
  domain::Page page = read_page(reader);
  const Wait wait = read_wait(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto workflow = co_await follow_workflow(context, cells.workflow, wait, call);
  if (!workflow) co_return fail(workflow.error());
  Json head = workflow_view(**workflow);
  std::vector<domain::TaskId> begun;
  co_return co_await with_cells(context, std::move(head), std::move(cells), std::move(page),
                                std::move(begun));
}

base::awaitable<mcp::ToolResult> workflow_list(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::WorkflowFilter filter;
  if (reader.has("state")) {
    filter.state =
        reader.choice("state", domain::WorkflowState::Pending, domain::parse_workflow_state,
                      "pending, running, completed, partial, failed, cancelled");
  }
  filter.since = reader.time("since");
  domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  Fetch<domain::WorkflowRecord> fetch = [&context, filter](domain::Page wanted) {
    return context.service.workflows(filter, std::move(wanted));
  };
  co_return co_await list_page<domain::WorkflowRecord>(std::move(fetch), std::move(page),
                                                       Json::object(), "items", workflow_view);
}

base::awaitable<mcp::ToolResult> workflow_cancel(Context& context, Json arguments,
                                                 mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  static_cast<void>(reader.required_text("workflow"));
  const auto id = read_id<domain::WorkflowId>(reader, "workflow");
  const base::Millis wait = read_wait_ms(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto outcome = co_await context.service.cancel_workflow(id, wait, call.caller());
  if (!outcome) co_return fail(outcome.error());
  auto workflow = co_await context.service.workflow(id, Wait{});
  if (!workflow) co_return fail(workflow.error());
  Json answer = cancel_sums(*outcome);
  answer["workflow"] = id.str();
  answer["state"] = domain::to_string((*workflow)->status.state);
  co_return rpc::dump(answer);
}

About about_run() {
  return {"workflow_run", "Run a workflow",
          "Run steps (a DAG of shell commands) in every chosen repository: tests, builds, sweeps, "
          "with a "
          "clean-up (when: always) and a summary (each: once). One workflow instead of many "
          "task_submit "
          "calls; use task_submit for a single command. On disk when it answers; follow with "
          "workflow_get.",
          mcp::Effect::Destructive, true};
}

}  // namespace

std::vector<mcp::Tool> workflow_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(context, about_run(), workflow_run));
  tools.back().tasks = mcp::TaskSupport::Optional;
  tools.push_back(make_tool(context,
                            {"workflow_get", "Look at a workflow",
                             "State, progress and cells (repository x step) of a workflow, "
                             "failures first with the end of their "
                             "output. wait_ms holds the call until it is done, or with until: "
                             "change until anything changed. "
                             "Use task_output for the whole output of a cell's task."},
                            workflow_get));
  tools.push_back(make_tool(context,
                            {"workflow_list", "List workflows",
                             "Workflows, newest first, without cells. Use workflow_get for one."},
                            workflow_list));
  tools.push_back(make_tool(context,
                            {"workflow_cancel", "Cancel a workflow",
                             "End a workflow: what waits never starts, what runs is stopped with "
                             "every process below it. Use "
                             "task_cancel for single tasks.",
                             mcp::Effect::Destructive},
                            workflow_cancel));
  return tools;
}

}  // namespace mahavishnu::tools
