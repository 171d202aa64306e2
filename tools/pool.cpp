// Tools `pool_*`: the pools of workers, made, looked at, scaled and closed.
#include <algorithm>

#include "rpc/codec.h"
#include "tools/durable_tasks.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/registry.h"

namespace mahavishnu::tools {
namespace {

using domain::PoolStatus;

constexpr base::Millis kExamineLimit{1000};  // of what a pool's settings name on this machine

// Pools come by name, so the name of the last one shown is where the next page begins.
std::string after_text(const std::string& name) { return "after:" + name; }

base::Result<std::string> parse_after(const std::string& cursor) {
  constexpr std::string_view kPrefix = "after:";
  if (cursor.empty()) return std::string();
  if (cursor.starts_with(kPrefix) && cursor.size() > kPrefix.size())
    return cursor.substr(kPrefix.size());
  return fail(ErrorCode::InvalidArgument,
              "cursor: not one of this list; pass the next_cursor of its last answer, or none");
}

base::awaitable<mcp::ToolResult> pool_spawn(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::PoolSpec spec = read_pool(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto spawned = co_await context.service.spawn_pool(std::move(spec));
  if (!spawned) co_return fail(spawned.error());
  auto pool = context.service.pool(spawned->id.str());
  if (!pool) co_return fail(pool.error());
  Json answer = pool_view(*pool);
  answer["existing"] = spawned->existing;
  co_return rpc::dump(answer);
}

// Those that need something of this machine which may be missing.
std::vector<domain::PoolId> with_settings(const std::vector<PoolStatus>& pools) {
  std::vector<domain::PoolId> ids;
  for (const PoolStatus& pool : pools) {
    if (!pool.record.spec.settings.empty()) ids.push_back(pool.record.id);
  }
  return ids;
}

bool has_label(const PoolStatus& pool, const Label& label) {
  if (label.key.empty()) return true;
  const auto at = pool.record.spec.labels.find(label.key);
  return at != pool.record.spec.labels.end() && (label.value.empty() || at->second == label.value);
}

base::awaitable<mcp::ToolResult> pool_list(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  std::optional<domain::PoolState> state;
  if (reader.has("state")) {
    state = reader.choice("state", domain::PoolState::Running, domain::parse_pool_state,
                          "running, scaling, degraded, paused, draining, stopped, failed");
  }
  const Label label = read_label(reader);
  const domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const auto after = parse_after(page.cursor);
  if (!after) co_return fail(after.error());
  std::vector<PoolStatus> shown;
  bool more = false;
  for (PoolStatus& pool : context.service.pools()) {
    if (pool.record.spec.name <= *after || !has_label(pool, label)) continue;
    if (state && pool.record.state != *state) continue;
    more = shown.size() == static_cast<std::size_t>(page.limit);
    if (more) break;
    shown.push_back(std::move(pool));
  }
  const auto problems = co_await context.service.pool_problems(with_settings(shown), kExamineLimit);
  ItemList list(Json::object());
  std::string last;
  for (const PoolStatus& pool : shown) {
    Json view = pool_view(pool);
    if (const auto bad = problems.find(pool.record.id); bad != problems.end()) {
      view["unavailable_reason"] = bad->second;
    }
    if (!list.add(view)) {
      more = true;
      break;
    }
    last = pool.record.spec.name;
  }
  co_return list.finish("items", more ? after_text(last) : "");
}

Json error_view(const Error& error) {
  return {{"code", base::to_string(error.code)}, {"message", error.message}};
}

Json unknown_pool(const std::string& name, const Error& error) {
  return {{"name", name}, {"error", error_view(error)}};
}

// Memory is told of what answers in this time; the rest of a report needs nobody's answer.
constexpr base::Millis kMemoryLimit{1000};
constexpr base::Millis kProbeLimit{1000};  // an executor that is later is not well

// What was gathered of many pools at once, each within its limit.
struct Gathered {
  control::Service::PoolMemory memory;
  control::PoolSurvey::Findings remotes;  // of the servers behind pools of type mcp
};

// One pool's entry: a pool that cannot be reported is an error entry among the others, and one
// whose server fails or hangs tells that beside what is known here.
Json monitor_one(const Context& context, const std::string& name_or_id, const Gathered& gathered) {
  const auto pool = context.service.pool(name_or_id);
  if (!pool) return unknown_pool(name_or_id, pool.error());
  const auto reports = context.service.monitor({pool->record.id});
  if (reports.empty()) {
    return unknown_pool(
        name_or_id, Error{ErrorCode::NotFound, "pool \"" + name_or_id + "\" has just closed", 0});
  }
  Json report = pool_report(reports.front(), context.timers.now().wall);
  const auto held = gathered.memory.find(pool->record.id);
  if (held == gathered.memory.end()) {
    report["rss_bytes"] = 0;  // nothing runs
  } else if (held->second) {
    report["rss_bytes"] = *held->second;
  }
  if (const auto count = context.memories.count(pool->record.id)) report["memory_count"] = *count;
  if (const auto found = gathered.remotes.find(pool->record.id); found != gathered.remotes.end()) {
    const auto& [reading, error] = found->second;
    if (error) report["error"] = error_view(*error);
    if (!error) {
      report["remote"] = {{"server", reading.server},
                          {"protocol", reading.protocol},
                          {"answered_ms", reading.took.count()}};
    }
  }
  return report;
}

base::awaitable<Gathered> gather(Context& context, std::vector<std::string> names) {
  std::vector<domain::PoolRecord> pools;
  for (const std::string& name : names) {
    if (const auto pool = context.service.pool(name)) pools.push_back(pool->record);
  }
  Gathered gathered;
  gathered.remotes = co_await context.survey.ask(std::move(pools));
  gathered.memory = co_await context.service.pool_memory(kMemoryLimit);
  co_return gathered;
}

base::awaitable<mcp::ToolResult> pool_monitor(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  std::vector<std::string> names = reader.texts("pools", 500, kNameBytes);
  const bool named = reader.has("pools");
  const domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const auto after = parse_after(page.cursor);
  if (!after) co_return fail(after.error());
  if (!named) {
    for (const PoolStatus& pool : context.service.pools()) names.push_back(pool.record.spec.name);
  }
  // Named pools keep the caller's order; the cursor says after which of them to go on.
  auto at = names.begin();
  if (!after->empty()) {
    at = named ? std::find(names.begin(), names.end(), *after)
               : std::upper_bound(names.begin(), names.end(), *after);
    if (named && at != names.end()) ++at;
  }
  const auto most = std::min<std::ptrdiff_t>(names.end() - at, page.limit);
  const Gathered gathered = co_await gather(context, std::vector<std::string>(at, at + most));
  ItemList list(Json::object());
  std::string last;
  for (; at != names.end(); ++at) {
    const bool full = list.size() == static_cast<std::size_t>(page.limit);
    if (full || !list.add(monitor_one(context, *at, gathered))) break;
    last = *at;
  }
  co_return list.finish("items", at == names.end() ? "" : after_text(last));
}

base::awaitable<mcp::ToolResult> pool_scale(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const std::string name = reader.required_text("pool");
  const auto workers = static_cast<int>(reader.integer("target_workers", 0, 0, 10000));
  const bool pause = reader.flag("paused");
  const std::optional<int> target =
      reader.has("target_workers") ? std::optional(workers) : std::nullopt;
  const std::optional<bool> paused = reader.has("paused") ? std::optional(pause) : std::nullopt;
  if (!target && !paused) reader.refuse("give target_workers, paused or both");
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto scaled = co_await context.service.scale_pool(name, target, paused);
  if (!scaled) co_return fail(scaled.error());
  auto pool = context.service.pool(name);
  if (!pool) co_return fail(pool.error());
  const int wanted = pool->record.target_workers;
  co_return rpc::dump(Json{{"pool", pool->record.id.str()},
                           {"name", pool->record.spec.name},
                           {"target", wanted},
                           {"actual", pool->total},
                           {"draining", std::max(0, pool->total - wanted)},
                           {"paused", pool->record.paused}});
}

// Asks the client, in the middle of the call, what becomes of the work: true, it is ended.
base::awaitable<base::Result<bool>> ask_to_abort(const PoolStatus& pool, mcp::Call& call) {
  std::vector<mcp::Question> questions;
  questions.push_back(closing_question(pool));
  const auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return fail(answers.error());
  const auto choice = closing_choice(*answers);
  if (!choice)
    co_return fail(ErrorCode::InvalidArgument, "the answer names neither drain nor abort");
  if (*choice == ClosingChoice::Leave) {
    co_return fail(ErrorCode::Cancelled, "pool " + pool.record.spec.name + " was left as it is");
  }
  co_return *choice == ClosingChoice::Abort;
}

base::awaitable<mcp::ToolResult> pool_close(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const std::string name = reader.required_text("pool");
  const std::string mode = reader.text("mode");
  if (reader.has("mode") && mode != "drain" && mode != "now") reader.wrong("mode", "drain or now");
  const base::Millis wait = read_wait_ms(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const auto pool = context.service.pool(name);
  if (!pool) co_return fail(pool.error());
  bool abort = mode == "now";
  if (abort && pool->running > 0 && call.can_ask(mcp::Ask::Elicitation)) {
    if (becomes_task(context, call, false, false)) {
      co_return fail(call.hand_over(context.tasks->closing(*pool, true, call.caller())));
    }
    const auto answer = co_await ask_to_abort(*pool, call);
    if (!answer) co_return fail(answer.error());
    abort = *answer;
  }
  auto closed = co_await context.service.close_pool(pool->record.id.str(), abort, wait);
  if (!closed) co_return fail(closed.error());
  if (becomes_task(context, call, closed->still_draining == 0, false)) {
    co_return fail(call.hand_over(context.tasks->closing(*pool, false, call.caller())));
  }
  co_return rpc::dump(Json{{"pool", closed->pool.str()},
                           {"finished", closed->finished},
                           {"cancelled", closed->cancelled},
                           {"still_draining", closed->still_draining}});
}

// The newest reason first: what is missing here explains the others.
void sicken(Json& health, const std::string& why) {
  health["status"] = "unhealthy";
  health["why"].insert(health["why"].begin(), why);
}

// Worst first, so that what was left out for length is the healthy part.
base::awaitable<mcp::ToolResult> pool_health_tool(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const auto problems = co_await context.service.executor_problems(kProbeLimit);
  const std::vector<PoolStatus> pools = context.service.pools();
  const auto missing = co_await context.service.pool_problems(with_settings(pools), kExamineLimit);
  std::vector<domain::PoolRecord> records;
  for (const PoolStatus& pool : pools) records.push_back(pool.record);
  const auto remotes = co_await context.survey.ask(std::move(records));
  const base::WallTime now = context.timers.now().wall;
  std::map<std::string, std::vector<Json>> by_status;
  for (const PoolStatus& pool : pools) {
    Json health = pool_health(pool, now);
    const auto remote = remotes.find(pool.record.id);
    if (remote != remotes.end() && remote->second.error) {
      sicken(health, remote->second.error->message);
    }
    const auto executor = problems.find(pool.record.spec.worker_type);
    if (executor != problems.end()) sicken(health, executor->second);
    const auto machine = missing.find(pool.record.id);
    if (machine != missing.end()) sicken(health, machine->second);
    by_status[health["status"].get<std::string>()].push_back(std::move(health));
  }
  Json head{{"status", "healthy"}, {"counts", Json::object()}};
  std::size_t total = 0;
  for (const char* status : {"healthy", "degraded", "unhealthy"}) {
    const std::size_t count = by_status[status].size();
    head["counts"][status] = count;
    if (count > 0) head["status"] = status;
    total += count;
  }
  head["omitted"] = total;  // at its longest; put right below
  ItemList list(head);
  for (const char* status : {"unhealthy", "degraded", "healthy"}) {
    for (const Json& health : by_status[status]) {
      if (!list.add(health)) break;
    }
  }
  head["omitted"] = total - list.size();
  list.set_head(head);
  co_return list.finish("items", "");
}

}  // namespace

std::vector<mcp::Tool> pool_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(context,
                            {"pool_spawn", "Make a pool",
                             "Make a named pool of shell workers, or (type mcp) of calls to an MCP "
                             "server's tools, with its own size, queue, limits and defaults. Not "
                             "needed for ordinary work: the pool `default` exists. The same name "
                             "and settings answer the existing pool; use pool_scale to change one.",
                             mcp::Effect::Idempotent},
                            pool_spawn));
  tools.push_back(make_tool(context,
                            {"pool_list", "List pools",
                             "Pools with state, workers and queue lengths. Use pool_monitor for "
                             "times and throughput, pool_health "
                             "for what is wrong."},
                            pool_list));
  tools.push_back(make_tool(
      context,
      {"pool_monitor", "Measure pools",
       "Queue wait and run time (p50 to p99), throughput, counts and memories of pools. Use "
       "metrics_get for the server as a whole."},
      pool_monitor));
  tools.push_back(make_tool(context,
                            {"pool_scale", "Scale or pause a pool",
                             "Set how many workers a pool has, or pause and resume it. Running "
                             "work is never interrupted: fewer "
                             "workers drain.",
                             mcp::Effect::Idempotent},
                            pool_scale));
  tools.push_back(make_tool(context,
                            {"pool_close", "Close a pool",
                             "Remove a pool: mode drain lets its work finish, now cancels it. Use "
                             "pool_scale with paused to stop it "
                             "for a while.",
                             mcp::Effect::Destructive},
                            pool_close));
  tools.back().asks = true;
  tools.back().tasks = mcp::TaskSupport::Optional;
  tools.push_back(
      make_tool(context,
                {"pool_health", "Check pools",
                 "Whether each pool is healthy, degraded or unhealthy, and why, worst first. Use "
                 "explain for one task."},
                pool_health_tool));
  return tools;
}

}  // namespace mahavishnu::tools
