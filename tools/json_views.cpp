#include "tools/json_views.h"

#include <algorithm>

#include "rpc/codec.h"
#include "tools/offer.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

using domain::Reason;
using domain::TaskState;

constexpr std::size_t kErrorTail = 1024;
constexpr std::size_t kFewAttempts = 10;
constexpr std::size_t kStructuredTokens = kAnswerTokens / 2;
constexpr std::size_t kMostWaitsFor = 100;
constexpr std::size_t kCursorTokens = 700;  // and braces; of a cursor of 1,000 bytes
constexpr base::Millis kLongInQueue{60000};

void put(Json& into, const char* name, const std::string& value) {
  if (!value.empty()) into[name] = value;
}

void put_time(Json& into, const char* name, const std::optional<base::WallTime>& value) {
  if (value) into[name] = base::to_rfc3339(*value);
}

void put_reason(Json& into, Reason reason) {
  if (reason != Reason::None) into["reason"] = domain::to_string(reason);
}

Json attempt_view(const domain::AttemptRecord& attempt) {
  Json view{{"attempt", attempt.number}, {"started", base::to_rfc3339(attempt.started)}};
  put(view, "worker", attempt.worker);
  put(view, "node", attempt.node);
  put_time(view, "ended", attempt.ended);
  if (attempt.exit_code) view["exit_code"] = *attempt.exit_code;
  if (attempt.signal) view["signal"] = *attempt.signal;
  put_reason(view, attempt.reason);
  if (attempt.ended) view["processes_left"] = attempt.processes_left;
  return view;
}

Json result_view(const domain::TaskResult& result) {
  Json view{{"text", result.text}, {"truncated", result.truncated}};
  put(view, "message", result.message);
  if (result.dropped_bytes > 0) view["dropped_bytes"] = result.dropped_bytes;
  if (!result.unenforced.empty()) view["unenforced"] = result.unenforced;
  if (!result.structured.empty()) {
    Json structured = Json::parse(result.structured, nullptr, false);
    if (!structured.is_discarded()) view["structured"] = std::move(structured);
  }
  return view;
}

// What the record says of the past, and what has passed since of a wait or a run not over yet.
base::Millis queued_for(const domain::TaskRecord& task, base::WallTime now) {
  const bool first_wait = task.status.state == TaskState::Queued && task.status.attempt == 0;
  return task.status.queue_time +
         (first_wait ? std::max(now - task.created, base::Millis{0}) : base::Millis{0});
}

base::Millis run_for(const domain::TaskRecord& task, base::WallTime now) {
  const bool runs = task.status.state == TaskState::Running && !task.attempts.empty() &&
                    !task.attempts.back().ended;
  return task.status.run_time +
         (runs ? std::max(now - task.attempts.back().started, base::Millis{0}) : base::Millis{0});
}

std::size_t tokens_of(const Json& json) { return estimated_tokens(rpc::dump(json)); }

// Until the whole is short enough.
void cut_text(Json& view) {
  Json& result = view["result"];
  while (true) {
    const std::string text = result["text"];
    const auto fewer = fewer_bytes(text.size(), tokens_of(view));
    if (!fewer) return;
    result["text"] = tail(text, *fewer);
    result["truncated"] = true;
  }
}

// What every form of a task begins with.
Json task_head(const domain::TaskRecord& task) {
  Json view{{"task", task.id.str()}, {"state", domain::to_string(task.status.state)}};
  put_reason(view, task.status.reason);
  put(view, "pool", task.pool_name);
  put(view, "repo", task.spec->repo);
  if (task.workflow) view["workflow"] = task.workflow.str();
  put(view, "step", task.step);
  if (!task.spec->labels.empty()) view["labels"] = task.spec->labels;
  view["created"] = base::to_rfc3339(task.created);
  put_time(view, "ended", task.status.ended);
  return view;
}

Json counts_view(const domain::WorkflowStatus& status) {
  return {{"total", status.total},     {"queued", status.queued},
          {"running", status.running}, {"completed", status.completed},
          {"failed", status.failed},   {"cancelled", status.cancelled},
          {"skipped", status.skipped}};
}

// Why a pool is not what it should be, worst first. The second is how bad it is: 1 degraded, 2
// unhealthy.
std::pair<std::vector<std::string>, int> complaints(const domain::PoolStatus& pool,
                                                    base::WallTime now) {
  std::vector<std::string> why;
  int worst = 0;
  const auto complain = [&why, &worst](int grade, std::string text) {
    why.insert(grade > worst ? why.begin() : why.end(), std::move(text));
    worst = std::max(worst, grade);
  };
  const domain::PoolRecord& record = pool.record;
  const bool work_waits = pool.queued > 0;
  if (record.state == domain::PoolState::Failed) complain(2, "its workers cannot be started");
  if (record.state == domain::PoolState::Stopped) complain(2, "it is stopped");
  if (record.target_workers == 0 && pool.busy == 0) {
    complain(work_waits ? 2 : 1, "it has no workers; raise them with pool_scale");
  }
  if (record.paused) complain(1, "it is paused; pool_scale with paused: false resumes it");
  if (record.state == domain::PoolState::Draining) complain(1, "it drains and takes no new work");
  if (record.state == domain::PoolState::Degraded) complain(1, "some of its workers fail");
  const int most = record.spec.max_queue;
  if (most > 0 && pool.queued >= most) {
    complain(2, "its queue is full (" + std::to_string(pool.queued) + ")");
  } else if (most > 0 && pool.queued * 10LL >= most * 9LL) {
    complain(1, "its queue is " + std::to_string(pool.queued * 100LL / most) + " % full");
  }
  if (work_waits && pool.oldest_queued && now - *pool.oldest_queued > kLongInQueue) {
    complain(1, "its oldest task has waited " +
                    std::to_string((now - *pool.oldest_queued).count() / 1000) + " s");
  }
  return {std::move(why), worst};
}

}  // namespace

void count_state(Json& counts, TaskState state) {
  Json& count = counts[std::string(domain::to_string(state))];
  count = count.is_null() ? 1 : count.get<int>() + 1;
}

std::string_view tail(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  text.remove_prefix(text.size() - bytes);
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0U) == 0x80U)
    text.remove_prefix(1);
  return text;
}

Json task_view(const domain::TaskRecord& task, base::WallTime now) {
  Json view = task_head(task);
  view["worker_type"] = task.spec->worker_type;
  if (task.batch) view["batch"] = task.batch.str();
  view["attempt"] = task.status.attempt;
  view["attempts"] = Json::array();
  for (const auto& attempt : task.attempts) view["attempts"].push_back(attempt_view(attempt));
  put_time(view, "started", task.status.started);
  put_time(view, "due", task.status.due);
  view["queue_ms"] = queued_for(task, now).count();
  view["run_ms"] = run_for(task, now).count();
  if (task.result) {
    view["result"] = result_view(*task.result);
    view["output_bytes"] = task.result->output_bytes;
  }
  return view;
}

std::string task_answer(domain::TaskId task, Json view) {
  std::string answer = rpc::dump(view);
  // No token is less than a byte.
  if (answer.size() <= kAnswerTokens || estimated_tokens(answer) <= kAnswerTokens) return answer;
  view["whole_at"] = task_uri(task);
  Json& attempts = view["attempts"];
  if (attempts.size() > kFewAttempts)
    attempts.erase(attempts.begin(), attempts.end() - kFewAttempts);
  if (view.contains("result")) {
    Json& result = view["result"];
    const auto structured = result.find("structured");
    if (structured != result.end() && tokens_of(*structured) > kStructuredTokens) {
      result.erase(structured);
    }
    cut_text(view);
  }
  return rpc::dump(view);
}

Json task_line(const domain::TaskRecord& task) { return task_head(task); }

Json cell_view(const domain::TaskRecord& task) {
  Json view{{"step", task.step},
            {"state", domain::to_string(task.status.state)},
            {"task", task.id.str()}};
  put(view, "repo", task.spec->repo);
  put_reason(view, task.status.reason);
  const bool failed =
      task.status.state == TaskState::Failed || task.status.state == TaskState::Dead;
  if (failed && task.result) {
    const auto& text = task.result->text.empty() ? task.result->message : task.result->text;
    put(view, "error_tail", std::string(tail(text, kErrorTail)));
  }
  return view;
}

int ended_of(const domain::WorkflowStatus& status) {
  return status.completed + status.failed + status.cancelled + status.skipped;
}

int progress_of(const domain::WorkflowStatus& status) {
  if (domain::is_terminal(status.state)) return 100;
  if (status.total <= 0) return 0;
  // 100 is said once the workflow itself has ended.
  return std::min(99, static_cast<int>(100LL * ended_of(status) / status.total));
}

Json workflow_view(const domain::WorkflowRecord& workflow) {
  Json view{{"workflow", workflow.id.str()},
            {"state", domain::to_string(workflow.status.state)},
            {"progress", progress_of(workflow.status)},
            {"counts", counts_view(workflow.status)},
            {"repos", workflow.spec->repos.size()},
            {"created", base::to_rfc3339(workflow.created)}};
  put(view, "name", workflow.spec->name);
  view["steps"] = Json::array();
  for (const auto& step : workflow.spec->steps) view["steps"].push_back(step.id);
  if (!workflow.spec->labels.empty()) view["labels"] = workflow.spec->labels;
  put_time(view, "started", workflow.status.started);
  put_time(view, "ended", workflow.status.ended);
  return view;
}

Json pool_view(const domain::PoolStatus& pool) {
  const domain::PoolRecord& record = pool.record;
  Json view{{"pool", record.id.str()},
            {"name", record.spec.name},
            {"type", record.spec.type},
            {"worker_type", record.spec.worker_type},
            {"state", domain::to_string(record.state)},
            {"workers",
             {{"total", pool.total},
              {"busy", pool.busy},
              {"idle", pool.idle},
              {"min", record.spec.min_workers},
              {"max", record.spec.max_workers}}},
            {"queued", pool.queued},
            {"running", pool.running},
            {"delayed", pool.delayed}};
  if (!record.spec.labels.empty()) view["labels"] = record.spec.labels;
  // A command's arguments may hold what is nobody's business.
  const domain::PoolSettings& settings = record.spec.settings;
  put(view, "server", settings.command.empty() ? settings.url : settings.command.front());
  if (record.state == domain::PoolState::Failed)
    view["unavailable_reason"] = "its workers cannot be started";
  return view;
}

Json quantiles(const control::Quantiles& values) {
  return {{"count", values.count}, {"min_ms", values.min}, {"mean_ms", values.mean},
          {"p50_ms", values.p50},  {"p90_ms", values.p90}, {"p95_ms", values.p95},
          {"p99_ms", values.p99},  {"max_ms", values.max}};
}

Json pool_report(const control::PoolReport& report, base::WallTime now) {
  const domain::PoolStatus& pool = report.status;
  Json view{{"pool", pool.record.id.str()},
            {"name", pool.record.spec.name},
            {"counts",
             {{"queued", pool.queued},
              {"running", pool.running},
              {"delayed", pool.delayed},
              {"completed", pool.completed},
              {"failed", pool.failed},
              {"retries", pool.retries}}},
            {"queue_wait", quantiles(report.queue_wait)},
            {"run_time", quantiles(report.run_time)},
            {"throughput",
             {{"per_minute_1", report.per_minute_1},
              {"per_minute_5", report.per_minute_5},
              {"per_minute_15", report.per_minute_15}}}};
  if (pool.oldest_queued)
    view["oldest_queued_ms"] = std::max(now - *pool.oldest_queued, base::Millis{0}).count();
  return view;
}

Json pool_health(const domain::PoolStatus& pool, base::WallTime now) {
  static constexpr const char* kGrades[] = {"healthy", "degraded", "unhealthy"};
  const auto [why, worst] = complaints(pool, now);
  return {{"pool", pool.record.id.str()},
          {"name", pool.record.spec.name},
          {"status", kGrades[worst]},
          {"why", why}};
}

Json explanation(const domain::Explanation& why) {
  Json view{{"state", why.state}, {"why", why.sentence}, {"ahead", why.ahead}};
  put(view, "blocked_by", why.blocked_by);
  if (!why.waits_for.empty()) {
    const std::size_t most = std::min(why.waits_for.size(), kMostWaitsFor);
    view["waits_for"] = std::vector<std::string>(
        why.waits_for.begin(), why.waits_for.begin() + static_cast<std::ptrdiff_t>(most));
  }
  return view;
}

ItemList::ItemList(const Json& head) { set_head(head); }

void ItemList::set_head(const Json& head) {
  head_ = rpc::dump(head);
  head_.pop_back();
  head_tokens_ = estimated_tokens(head_);
}

bool ItemList::add(const Json& item) {
  const std::string text = rpc::dump(item);
  const std::size_t tokens = estimated_tokens(text) + 1;
  const std::size_t all = head_tokens_ + kCursorTokens + tokens_ + tokens;
  if (count_ > 0 && all > kAnswerTokens) return false;
  tokens_ += tokens;
  if (count_ > 0) items_ += ',';
  items_ += text;
  ++count_;
  return true;
}

std::string ItemList::finish(const char* name, std::string_view next_cursor) const {
  std::string text = head_;
  if (text.size() > 1) text += ',';
  text.append("\"").append(name).append("\":[").append(items_).append("]");
  if (!next_cursor.empty()) {
    text += ",\"next_cursor\":";
    rpc::append_json_string(text, next_cursor);
  }
  return text + "}";
}

}  // namespace mahavishnu::tools
