// Tools `task_submit` and `task_batch`: work handed in. Both answer once it is on disk.
#include <algorithm>
#include <utility>

#include "tools/batch.h"
#include "tools/durable_tasks.h"
#include "tools/follow.h"
#include "tools/inputs.h"
#include "tools/json_views.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kMaxBatch = 1000;

base::awaitable<mcp::ToolResult> task_submit(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  auto args = read_task(reader, Asker::of(call));
  const Wait wait = read_wait(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto submitted = co_await context.service.submit(std::move(args));
  if (!submitted) co_return fail(submitted.error());
  const bool demanded = call.task_wish() == mcp::TaskWish::Demanded;
  auto task = co_await follow_task(context, submitted->task, demanded ? Wait{} : wait, call);
  if (!task) co_return fail(task.error());
  const bool over = domain::is_terminal((*task)->status.state);
  if (becomes_task(context, call, over, wait.until_change)) {
    co_return fail(call.hand_over(context.tasks->view(**task, call.caller())));
  }
  Json answer = task_view(**task, context.timers.now().wall);
  answer["existing"] = submitted->existing;
  co_return task_answer(submitted->task, std::move(answer));
}

// Each item by itself: what is wrong with one is told of that one alone.
std::vector<base::Result<Service::SubmitArgs>> read_items(const Json& items, const Json& defaults,
                                                          const Asker& asker) {
  std::vector<base::Result<Service::SubmitArgs>> all;
  all.reserve(items.size());
  for (const Json& item : items) {
    const Json merged = defaults.empty() ? Json() : with_defaults(item, defaults);
    const Json& whole = defaults.empty() ? item : merged;  // a copy of each would cost a tenth
    std::optional<Error> problem;
    // Without the item's place: equal errors are told once, with their places beside them.
    Reader reader(whole, "task", problem);
    auto args = read_task(reader, asker);
    if (auto good = reader.finish(); !good) {
      all.emplace_back(fail(good.error()));
    } else {
      all.emplace_back(std::move(args));
    }
  }
  return all;
}

// Waits for the new tasks as a batch and for those an idempotency key already named one by one.
base::awaitable<base::Status> wait_for_all(Context& context, Service::BatchOutcome outcome,
                                           Wait wait, mcp::Call& call) {
  const base::MonoTime end = context.timers.now().mono + wait.limit;
  std::vector<domain::TaskId> fresh;
  for (const auto& item : outcome.items) {
    if (item && !item->existing) fresh.push_back(item->task);
  }
  if (!fresh.empty()) {
    auto waited = co_await follow_batch(context, outcome.batch, std::move(fresh), wait, call);
    if (!waited) co_return waited;
  }
  for (const auto& item : outcome.items) {
    if (!item || !item->existing) continue;
    const auto left = std::chrono::duration_cast<base::Millis>(end - context.timers.now().mono);
    if (left.count() <= 0) break;
    auto task = co_await context.service.task(item->task, Wait{left, false});
    if (!task) co_return fail(task.error());
  }
  co_return base::Status{};
}

struct Standing {
  Json counts = Json::object();  // by state
  bool over = true;
};

base::awaitable<base::Result<Standing>> standing_of(Context& context, const BatchOutcome& outcome) {
  Standing standing;
  for (const auto& item : outcome.items) {
    if (!item) continue;
    auto task = co_await context.service.task(item->task, Wait{});
    if (!task) co_return fail(task.error());
    count_state(standing.counts, (*task)->status.state);
    standing.over = standing.over && domain::is_terminal((*task)->status.state);
  }
  co_return standing;
}

// Not null: the batch is handed over as a task of MCP. Its handle names the batch, so all that was
// taken has to be in it.
base::awaitable<base::Result<std::optional<mcp::TaskView>>> as_task(Context& context,
                                                                    const BatchOutcome& outcome,
                                                                    bool over, mcp::Call& call) {
  if (!becomes_task(context, call, over, false)) co_return std::nullopt;
  bool any_new = false, any_old = false;
  for (const auto& item : outcome.items) {
    if (item) (item->existing ? any_old : any_new) = true;
  }
  if (any_new && !any_old) {
    auto view = co_await context.tasks->batch(outcome, call.caller());
    if (!view) co_return fail(view.error());
    co_return std::move(*view);
  }
  if (call.task_wish() != mcp::TaskWish::Demanded) co_return std::nullopt;
  const auto refused = std::find_if(outcome.items.begin(), outcome.items.end(),
                                    [](const auto& item) { return !item; });
  if (!any_old && refused != outcome.items.end()) co_return fail(refused->error());
  co_return fail(ErrorCode::Conflict,
                 "some of these were handed in before, by idempotency_key, and are in no new batch "
                 "that could be a task; hand them in without asking for a task");
}

base::awaitable<mcp::ToolResult> task_batch(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const Json* items = reader.list("tasks", kMaxBatch);
  if (items == nullptr) reader.wrong("tasks", "a list of 1 to 1000 tasks");
  const Json defaults = arguments.value("defaults", Json::object());
  if (!defaults.is_object() || defaults.contains("idempotency_key")) {
    reader.wrong("defaults", "an object without idempotency_key, which would make all tasks one");
  }
  static_cast<void>(reader.object("defaults"));
  const Wait wait{read_wait_ms(reader), false};
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto args = read_items(*items, defaults, Asker::of(call));
  // Freeing a thousand documents takes as long as writing their tasks: done while the disk works.
  const auto executor = co_await asio::this_coro::executor;
  asio::post(executor, [used = std::move(arguments)] {});
  auto outcome = co_await context.service.submit_batch(std::move(args));
  if (!outcome) co_return fail(outcome.error());
  const bool waits = wait.limit.count() > 0 && call.task_wish() != mcp::TaskWish::Demanded;
  base::Result<Standing> standing = Standing{nullptr, false};
  if (waits) {
    auto waited = co_await wait_for_all(context, *outcome, wait, call);
    if (!waited) co_return fail(waited.error());
    standing = co_await standing_of(context, *outcome);
    if (!standing) co_return fail(standing.error());
  }
  auto task = co_await as_task(context, *outcome, standing->over, call);
  if (!task) co_return fail(task.error());
  if (*task) co_return fail(call.hand_over(std::move(**task)));
  co_return batch_answer(*outcome, standing->counts);
}

}  // namespace

std::vector<mcp::Tool> task_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(
      context,
      {"task_submit", "Run one task",
       "Run one command (by /bin/sh -c), argv, or tool of another MCP server on a pool, in a "
       "repository if one is named. Use "
       "workflow_run for the same work in many repositories or for several steps, task_batch for "
       "many "
       "different commands. On disk when it answers; wait_ms holds the call until it is done.",
       mcp::Effect::Destructive, true},
      task_submit));
  tools.back().tasks = mcp::TaskSupport::Optional;
  tools.push_back(
      make_tool(context,
                {"task_batch", "Run many tasks",
                 "Hand in 1 to 1000 tasks at once. `tasks` answers their ids in order, null where "
                 "one was refused; one bad item never fails the others. Follow with task_get and "
                 "its batch, which goes on from next_cursor. Use workflow_run for the same steps "
                 "in many repositories.",
                 mcp::Effect::Destructive, true},
                task_batch));
  tools.back().tasks = mcp::TaskSupport::Optional;
  return tools;
}

}  // namespace mahavishnu::tools
