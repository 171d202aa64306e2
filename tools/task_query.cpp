// Tools `task_get`, `task_output`, `task_cancel`, `task_list`: work looked at and ended.
#include <algorithm>
#include <memory>

#include "base/cache.h"
#include "rpc/codec.h"
#include "tools/batch.h"
#include "tools/follow.h"
#include "tools/inputs.h"
#include "tools/listing.h"
#include "tools/lookups.h"
#include "tools/output_cursor.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kKeptAnswerBytes = 4U << 20U;
constexpr std::size_t kMostKeptAnswers = 100000;
constexpr std::size_t kMostOutputBytes = 32768;

// Answers about ended tasks by the version of their record: they do not change any more.
struct EndedTask {
  std::uint64_t version = 0;
  mcp::KeptAnswer answer;
};
using EndedTasks = base::Cache<domain::TaskId, EndedTask>;

const mcp::KeptAnswer* kept_answer(const Context& context, EndedTasks& kept,
                                   const Json& arguments) {
  if (arguments.size() != 1) return nullptr;
  const auto name = arguments.find("task");
  if (name == arguments.end() || !name->is_string()) return nullptr;
  const auto id = domain::TaskId::parse(name->get_ref<const std::string&>());
  if (!id) return nullptr;
  const auto task = context.service.cached_task(*id);
  if (task == nullptr || !domain::is_terminal(task->status.state)) return nullptr;
  const EndedTask* ended = kept.find(*id);
  return ended == nullptr || ended->version != task->status.version ? nullptr : &ended->answer;
}

// A batch is at most 1,000 tasks: it is read whole, so that the counts are right, and shown in
// pages.
base::awaitable<mcp::ToolResult> get_batch(Context& context, domain::BatchId batch,
                                           domain::Page page, Wait wait, mcp::Call& call) {
  std::size_t from = 0;
  if (!page.cursor.empty()) {
    const auto parsed = parse_position("batch", page.cursor);
    if (!parsed) co_return fail(parsed.error());
    from = *parsed;
  }
  auto tasks = co_await tasks_of(context, batch);
  if (tasks && wait.limit.count() > 0) {
    std::vector<domain::TaskId> ids;
    for (const auto& task : *tasks) ids.push_back(task.id);
    auto waited = co_await follow_batch(context, batch, std::move(ids), wait, call);
    if (!waited) co_return fail(waited.error());
    tasks = co_await tasks_of(context, batch);
  }
  if (!tasks) co_return fail(tasks.error());
  Json counts = Json::object();
  for (const auto& task : *tasks) count_state(counts, task.status.state);
  ItemList list(Json{{"batch", batch.str()}, {"counts", std::move(counts)}});
  std::size_t at = std::min(from, tasks->size());
  const std::size_t end = std::min(tasks->size(), at + static_cast<std::size_t>(page.limit));
  while (at < end && list.add(task_line((*tasks)[at]))) ++at;
  co_return list.finish("items", at < tasks->size() ? position_text("batch", at) : "");
}

base::awaitable<mcp::ToolResult> get_task(Context& context, EndedTasks& kept, domain::TaskId id,
                                          Wait wait, mcp::Call& call) {
  auto task = co_await follow_task(context, id, wait, call);
  if (!task) co_return fail(task.error());
  std::string answer = task_answer(id, task_view(**task, context.timers.now().wall));
  if (domain::is_terminal((*task)->status.state)) {
    kept.put(id, {(*task)->status.version, mcp::KeptAnswer(answer)});
  }
  co_return answer;
}

base::awaitable<mcp::ToolResult> task_get(Context& context, std::shared_ptr<EndedTasks> kept,
                                          Json arguments, mcp::Call& call) {
  if (const mcp::KeptAnswer* answer = kept_answer(context, *kept, arguments)) {
    co_return answer->json();
  }
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const auto which = reader.exactly_one({"task", "batch"});
  const auto task = read_id<domain::TaskId>(reader, "task");
  const auto batch = read_id<domain::BatchId>(reader, "batch");
  domain::Page page = read_page(reader);
  const Wait wait = read_wait(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  if (which == "task") co_return co_await get_task(context, *kept, task, wait, call);
  co_return co_await get_batch(context, batch, std::move(page), wait, call);
}

base::Result<control::OutputQuery> read_output_query(Reader& reader) {
  control::OutputQuery query;
  const std::string stream = reader.text("stream");
  const std::string cursor = reader.text("cursor", 64);
  const bool by_offset = reader.has("offset");
  query.offset = reader.integer("offset", -1, 0, 1LL << 53U);
  query.max_bytes =
      static_cast<std::size_t>(reader.integer("max_bytes", 16384, 1, kMostOutputBytes));
  query.wait = read_wait_ms(reader);
  if (!cursor.empty() && by_offset) reader.refuse("give cursor or offset, not both");
  auto named = parse_stream(stream.empty() ? "all" : stream);
  if (!named) reader.wrong("stream", "one of all, stdout, stderr");
  if (auto good = reader.finish(); !good) return fail(good.error());
  query.stream = *named;
  if (cursor.empty()) return query;
  auto place = parse_output_cursor(cursor);
  if (!place) return fail(place.error());
  if (!stream.empty() && place->stream != query.stream) {
    return fail(ErrorCode::InvalidArgument, "cursor: it continues another stream than \"" + stream +
                                                "\"; leave one of them out");
  }
  query.stream = place->stream;
  query.offset = place->offset;
  return query;
}

base::awaitable<mcp::ToolResult> task_output(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  static_cast<void>(reader.required_text("task"));
  const auto id = read_id<domain::TaskId>(reader, "task");
  auto query = read_output_query(reader);
  if (!query) co_return fail(query.error());
  while (true) {
    auto chunk = co_await context.service.output(id, *query);
    if (!chunk) co_return fail(chunk.error());
    Json answer{{"task", id.str()},
                {"text", chunk->text},
                {"eof", chunk->eof},
                {"next_offset", chunk->next_offset}};
    if (!chunk->eof) answer["next_cursor"] = output_cursor(query->stream, chunk->next_offset);
    if (chunk->dropped_bytes > 0) answer["dropped_bytes"] = chunk->dropped_bytes;
    std::string text = rpc::dump(answer);
    // As a dump of numbers, or of control characters that take six bytes each: less of it, then.
    const std::size_t shown = std::min(query->max_bytes, chunk->text.size());
    const auto fewer = fewer_bytes(shown, estimated_tokens(text));
    if (!fewer) co_return text;
    query->max_bytes = *fewer;
    query->wait = base::Millis{0};
  }
}

base::Result<domain::CancelMatching> read_cancel_filter(Context& context, Reader& reader) {
  domain::CancelMatching filter;
  Reader fields = reader.object("filter");
  const std::string pool = fields.text("pool");
  filter.workflow = read_id<domain::WorkflowId>(fields, "workflow");
  filter.repo = canonical_repo(context, fields.text("repo"));
  filter.caller = fields.text("caller", kKeyBytes);
  const Label label = read_label(fields);
  filter.label_key = label.key;
  filter.label_value = label.value;
  // Ending work takes the whole label: "any value" would be a guess about the caller's mind.
  if (fields.has("label") &&
      fields.text("label", 2 * kKeyBytes + 1).find('=') == std::string::npos) {
    fields.wrong("label", "key=value");
  }
  const bool all = fields.flag("all");
  int given = 0;
  for (const char* name : {"pool", "workflow", "repo", "caller", "label"}) {
    if (!fields.has(name)) continue;
    ++given;
    static_cast<void>(fields.required_text(name, 2 * kKeyBytes + 1));
  }
  if (all == (given > 0))
    fields.refuse("give all: true, or at least one of pool, workflow, repo, caller, label");
  if (auto good = fields.finish(); !good) return fail(good.error());
  if (pool.empty()) return filter;
  // To end work by a name that is not known would be a mistake; a list of none would hide it.
  auto known = context.service.pool(pool);
  if (!known) return fail(known.error());
  filter.pool = known->record.id;
  return filter;
}

std::string cancel_answer(const control::CancelOutcome& outcome) {
  Json head = cancel_sums(outcome);
  head["omitted"] = outcome.items.size();  // at its longest; put right below
  ItemList list(head);
  for (const auto& item : outcome.items) {
    Json view{{"task", item.task.str()},
              {"outcome", item.already_ended ? "already_ended" : "cancelled"},
              {"ended", item.ended}};
    if (item.ended) view["processes_left"] = item.processes_left;
    if (!list.add(view)) break;
  }
  head["omitted"] = outcome.items.size() - list.size();
  list.set_head(head);
  return list.finish("items", "");
}

base::awaitable<mcp::ToolResult> task_cancel(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const auto which = reader.exactly_one({"task", "batch", "filter"});
  const auto task = read_id<domain::TaskId>(reader, "task");
  const auto batch = read_id<domain::BatchId>(reader, "batch");
  const base::Millis wait = read_wait_ms(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  Service::CancelArgs args;
  args.by = call.caller();
  if (which == "filter") {
    auto filter = read_cancel_filter(context, reader);
    if (!filter) co_return fail(filter.error());
    args.filter = std::move(*filter);
  } else if (which == "batch") {
    auto tasks = co_await tasks_of(context, batch);
    if (!tasks) co_return fail(tasks.error());
    for (const auto& one : *tasks) args.tasks.push_back(one.id);
  } else {
    args.tasks.push_back(task);
  }
  auto outcome = co_await context.service.cancel(std::move(args), wait);
  if (!outcome) co_return fail(outcome.error());
  co_return cancel_answer(*outcome);
}

base::awaitable<mcp::ToolResult> task_list(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::TaskFilter filter;
  if (reader.has("state")) {
    filter.states.push_back(
        reader.choice("state", domain::TaskState::Queued, domain::parse_task_state, kTaskStates));
  }
  if (reader.has("reason")) {
    filter.reason = reader.choice("reason", domain::Reason::None, domain::parse_reason,
                                  "the reasons a task ends for, such as exit_code or timed_out");
  }
  const std::string pool = reader.text("pool");
  filter.workflow = read_id<domain::WorkflowId>(reader, "workflow");
  filter.repo = canonical_repo(context, reader.text("repo"));
  filter.caller = reader.text("caller", kKeyBytes);
  const Label label = read_label(reader);
  filter.label_key = label.key;
  filter.label_value = label.value;
  filter.since = reader.time("since");
  const std::string order = reader.text("order");
  if (!order.empty() && order != "newest" && order != "oldest")
    reader.wrong("order", "newest or oldest");
  filter.oldest_first = order == "oldest";
  domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  if (!pool.empty()) {
    const auto meant = pool_meant(context, pool);
    if (!meant) co_return std::string("{\"items\":[]}");
    filter.pool = *meant;
  }
  Fetch<domain::TaskRecord> fetch = [&context, filter](domain::Page wanted) {
    return context.service.tasks(filter, std::move(wanted));
  };
  co_return co_await list_page<domain::TaskRecord>(std::move(fetch), std::move(page),
                                                   Json::object(), "items", task_line);
}

}  // namespace

std::vector<mcp::Tool> task_query_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  const auto weight = [](const EndedTask& task) { return task.answer.bytes(); };
  auto kept = std::make_shared<EndedTasks>(
      base::CacheLimits{kMostKeptAnswers, kKeptAnswerBytes, base::Millis{0}}, weight);
  context.caches.add("task_answers", *kept);
  tools.push_back(make_tool(
      {"task_get", "Look at a task or batch",
       "State, attempts and result (the end of the output) of one task, or counts and "
       "tasks of a batch. A "
       "failed task is an answer, not an error: read reason and result. wait_ms holds "
       "the call until it is "
       "done. Use task_output for the whole output, explain for why it waits."},
      [&context, kept](Json arguments, mcp::Call& call) {
        return task_get(context, kept, std::move(arguments), call);
      },
      [&context, kept](const Json& arguments) { return kept_answer(context, *kept, arguments); }));
  tools.push_back(make_tool(
      context,
      {"task_output", "Read a task's output",
       "Output of a task in pieces, live while it runs: without cursor the last part; pass "
       "next_cursor back "
       "as cursor to go on, or offset: 0 to start at the beginning. wait_ms waits for more."},
      task_output));
  tools.push_back(
      make_tool(context,
                {"task_cancel", "Cancel tasks",
                 "End a task, a batch or all tasks a filter meets, with every process they "
                 "started. With wait_ms it "
                 "answers when nothing of them runs any more. Use workflow_cancel for a workflow.",
                 mcp::Effect::Destructive},
                task_cancel));
  tools.push_back(make_tool(
      context,
      {"task_list", "List tasks",
       "Tasks in short form by state, reason, pool, repository, label, caller or time. Use "
       "task_get for one, workflow_get for those of a workflow."},
      task_list));
  return tools;
}

}  // namespace mahavishnu::tools
