#include "control/service.h"

#include <utility>

#include "base/log.h"
#include "control/service_state.h"

namespace mahavishnu::control {

using domain::ErrorCode;
using domain::fail;

namespace {
constexpr base::Millis kStopSlack{3000};  // from KILL to the end on disk
}

Service::Service(asio::any_io_executor executor, ServiceOptions options, Timers& timers,
                 domain::Journal& journal, domain::Archive& archive,
                 std::map<std::string, domain::Executor*> executors)
    : state_(std::make_unique<State>(executor, std::move(options), timers, journal, archive,
                                     std::move(executors))) {
  state_->repositories = *domain::RepositoryIndex::build({});
}

Service::~Service() { stop(); }

awaitable<Status> Service::start(domain::Snapshot snapshot, int default_workers) {
  auto found = co_await state_->shell.recover();
  if (!found) co_return fail(found.error());
  domain::Restored restored;
  restored.snapshot = std::move(snapshot);
  restored.attempts = std::move(*found);
  state_->shell.feed(std::move(restored));
  for (const auto& pool : pools()) state_->shell.keep_workers_ready(pool.record);
  if (state_->shell.core().find_pool("default")) co_return Status{};
  domain::PoolSpec spec;
  spec.name = "default";
  spec.max_workers = default_workers;
  auto made = co_await spawn_pool(std::move(spec));
  if (!made) co_return fail(made.error());
  co_return Status{};
}

awaitable<void> Service::drain(base::Millis grace) {
  State& state = *state_;
  state.shell.feed(domain::Drain{});
  auto until = state.deadline(grace);
  bool stopped_attempts = false;
  while (true) {
    Watch progress(state.shell.watchers(), {{kProgress, Topic::State}});
    if (state.shell.core().counts().running == 0 && state.shell.unwritten() == 0) break;
    auto changed = co_await progress.changed(until);
    if (!changed) break;  // stopped meanwhile
    if (*changed) continue;
    if (stopped_attempts) {
      base::log()->error("shutting down with {} attempts running and {} commits unwritten",
                         state.shell.core().counts().running, state.shell.unwritten());
      break;
    }
    stopped_attempts = true;
    state.shell.stop_attempts(domain::Reason::Lost);
    until = state.deadline(state.options.stop_grace + kStopSlack);
  }
}

void Service::stop() { state_->shell.stop(); }

std::shared_ptr<const domain::RepositoryIndex> Service::repositories() const {
  return state_->repositories;
}

void Service::set_repositories(std::shared_ptr<const domain::RepositoryIndex> index) {
  state_->repositories = std::move(index);
  ++state_->repositories_version;
}

std::uint64_t Service::repositories_version() const { return state_->repositories_version; }

awaitable<Result<TaskPtr>> Service::State::read_task(domain::TaskId id) {
  if (TaskPtr task = shell.records().cached_task(id)) co_return task;
  auto ask = [this, id](auto callback) { shell.records().task(id, std::move(callback)); };
  auto read = co_await answer_of<TaskPtr>(executor, std::move(ask));
  if (!read && read.error().code == ErrorCode::NotFound) {
    co_return fail(ErrorCode::NotFound, "no task " + id.str() + "; task_list shows the known ones");
  }
  co_return read;
}

awaitable<Result<WorkflowPtr>> Service::State::read_workflow(domain::WorkflowId id) {
  auto ask = [this, id](auto callback) { shell.records().workflow(id, std::move(callback)); };
  auto read = co_await answer_of<WorkflowPtr>(executor, std::move(ask));
  if (!read && read.error().code == ErrorCode::NotFound) {
    co_return fail(ErrorCode::NotFound,
                   "no workflow " + id.str() + "; workflow_list shows the known ones");
  }
  co_return read;
}

awaitable<Status> Service::State::wait_ended(std::vector<domain::TaskId> ids,
                                             base::MonoTime until) {
  // One at a time: all of them have to end, so the order of looking does not matter.
  while (!ids.empty()) {
    if (auto room = shell.watchers().room(); !room) co_return room;
    Watch watch(shell.watchers(), {{ids.back().value, Topic::State}});
    auto task = co_await read_task(ids.back());
    if (!task) co_return fail(task.error());
    if (domain::is_terminal((*task)->status.state)) {
      ids.pop_back();
      continue;
    }
    auto changed = co_await watch.changed(until);
    if (!changed) co_return fail(changed.error());
    if (!*changed) co_return Status{};
  }
  co_return Status{};
}

awaitable<Result<domain::Explanation>> Service::explain_task(domain::TaskId id) {
  if (auto live = state_->shell.core().explain(id, state_->shell.now())) co_return *live;
  auto task = co_await state_->read_task(id);
  if (!task) co_return fail(task.error());
  const domain::TaskStatus& status = (*task)->status;
  domain::Explanation explanation;
  explanation.state = to_string(status.state);
  explanation.sentence = id.str() + " is " + std::string(to_string(status.state)) + " (" +
                         std::string(to_string(status.reason)) + ")";
  if (status.ended) explanation.sentence += " since " + base::to_rfc3339(*status.ended);
  if ((*task)->result && !(*task)->result->message.empty()) {
    explanation.sentence += ": " + (*task)->result->message;
  }
  co_return explanation;
}

awaitable<Result<domain::Explanation>> Service::explain_workflow(domain::WorkflowId id) {
  if (auto live = state_->shell.core().explain(id, state_->shell.now())) co_return *live;
  auto workflow = co_await state_->read_workflow(id);
  if (!workflow) co_return fail(workflow.error());
  const domain::WorkflowStatus& status = (*workflow)->status;
  domain::Explanation explanation;
  explanation.state = to_string(status.state);
  explanation.sentence = id.str() + " is " + std::string(to_string(status.state)) + ": " +
                         std::to_string(status.completed) + " of " + std::to_string(status.total) +
                         " cells completed, " + std::to_string(status.failed) + " failed, " +
                         std::to_string(status.skipped) + " skipped";
  co_return explanation;
}

Metrics Service::metrics(base::Millis window) const {
  const Shell& shell = state_->shell;
  const auto now = shell.now().mono;
  Metrics metrics;
  metrics.window = window;
  metrics.latency = shell.clocks().latency(now, window);
  metrics.per_second = shell.clocks().per_second(now, window);
  metrics.totals = shell.clocks().totals();
  metrics.counters.insert(shell.clocks().counters().begin(), shell.clocks().counters().end());
  const domain::CoreCounts counts = shell.core().counts();
  metrics.counters["tasks.admitted"] = counts.admitted;
  metrics.counters["tasks.refused"] = counts.refused;
  metrics.counters["tasks.completed"] = counts.completed;
  metrics.counters["tasks.failed"] = counts.failed;
  metrics.counters["tasks.cancelled"] = counts.cancelled;
  metrics.counters["tasks.dead"] = counts.dead;
  metrics.counters["tasks.retries"] = counts.retries;
  metrics.counters["attempts.stale_completions"] = counts.stale_completions;
  const base::CacheStats records = shell.records().cache().stats();
  metrics.counters["records.cache_hits"] = records.hits;
  metrics.counters["records.cache_misses"] = records.misses;
  const auto gauge = [&metrics](const char* name, std::uint64_t value) {
    metrics.gauges[name] = static_cast<std::int64_t>(value);
  };
  gauge("tasks.live", counts.live);
  gauge("tasks.queued", counts.queued);
  gauge("tasks.running", counts.running);
  gauge("tasks.delayed", counts.delayed);
  gauge("workflows.live", counts.workflows);
  gauge("pools", counts.pools);
  gauge("commits.unwritten", shell.unwritten());
  gauge("records.cached", records.entries);
  gauge("records.cached_bytes", records.bytes);
  if (state_->options.more_metrics) state_->options.more_metrics(metrics);
  return metrics;
}

void Service::clocked(std::string_view operation, std::chrono::microseconds took, bool ok) {
  state_->shell.clocks().add(operation, state_->about_now(false), took);
  if (!ok) state_->shell.clocks().count("failed." + std::string(operation));
}

void Service::clocked(Stage stage, std::chrono::microseconds took) {
  state_->shell.clocks().add(stage, state_->about_now(stage == Stage::LoopLag), took);
}

domain::CoreCounts Service::counts() const { return state_->shell.core().counts(); }

std::string Service::check() const { return state_->shell.core().check(); }

bool Service::idle() const {
  const domain::CoreCounts counts = state_->shell.core().counts();
  return counts.live == 0 && state_->shell.unwritten() == 0;
}

}  // namespace mahavishnu::control
