// Strategy. The naive shell would write, wait for the disk, answer, and only then take the next
// call: one fsync a call. Here every step's records go to the journal at once, many commits share
// one fsync, and what depends on a commit (its replies, the reads and waits that would show it, the
// work it admits) is held back in order until the journal says that it is on disk.
#include "control/shell.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "base/planted.h"
#include "control/service.h"

namespace mahavishnu::control {
namespace {

constexpr base::Millis kRetryEvery{1000};

template <class T>
T own_or(T own, T standard, T pools) {
  return own == standard && pools != T{} ? pools : own;
}

std::optional<domain::PoolId> pool_of(const domain::Record& record) {
  if (const auto* put = std::get_if<domain::PoolPut>(&record)) return put->pool.id;
  if (const auto* removed = std::get_if<domain::PoolRemoved>(&record)) return removed->pool;
  return std::nullopt;
}

}  // namespace

Shell::Shell(asio::any_io_executor executor, const ServiceOptions& options, Timers& timers,
             domain::Journal& journal, domain::Archive& archive,
             std::map<std::string, domain::Executor*> executors)
    : executor_(executor),
      options_(options),
      timers_(timers),
      journal_(journal),
      executors_(std::move(executors)),
      core_(options.core),
      alarms_(timers),
      watchers_(executor, alarms_, options.max_waiters),
      records_(archive, options.record_cache, options.record_cache_bytes) {
  journal_.on_done([this](domain::CommitNo number, domain::Status status) {
    if (!stopped_) journal_done(number, std::move(status));
  });
  for (auto& [type, port] : executors_) {
    domain::Executor::Events events;
    events.started = [this](domain::Fence fence) { attempt_started(fence); };
    events.ended = [this](domain::AttemptEnded end) { attempt_ended(std::move(end)); };
    events.output = [this](domain::Fence fence, std::uint64_t) {
      const auto found = attempts_.find(fence);
      if (found == attempts_.end()) return;
      watchers_.notify(found->second.task.value, Topic::Output);
      if (options_.output_grew) options_.output_grew(found->second.task);
    };
    port->subscribe(std::move(events));
  }
}

void Shell::feed(domain::Event event) {
  if (stopped_) return;
  if (std::holds_alternative<domain::Restored>(event)) {
    restored_ = true;
    events_.push_front(std::move(event));
  } else {
    events_.push_back(std::move(event));
  }
  if (stepping_ || !restored_) return;
  stepping_ = true;
  while (!events_.empty()) {
    const domain::Event next = std::move(events_.front());
    events_.pop_front();
    domain::Effects effects = core_.step(next, timers_.now());
    for (domain::Effect& effect : effects) perform(effect);
  }
  stepping_ = false;
}

std::pair<domain::Ticket, Shell::Waiting> Shell::open_ticket() {
  const domain::Ticket ticket = next_ticket_++;
  auto waiting = std::make_shared<OneShot<domain::Result<ReplyBody>>>(executor_);
  if (stopped_) {
    waiting->set(domain::fail(domain::ErrorCode::Unavailable, "the server is shutting down"));
  } else {
    tickets_.emplace(ticket, waiting);
  }
  return {ticket, waiting};
}

void Shell::perform(domain::Effect& effect) {
  std::visit([this](auto& one) { perform(one); }, effect);
}

// ── Commits ──────────────────────────────────────────────────────────────────────────────────────

void Shell::perform(domain::Persist& effect) {
  for (domain::Record& record : effect.records) {
    // The core does not know where it runs.
    if (auto* put = std::get_if<domain::AttemptPut>(&record)) put->attempt.node = options_.node;
  }
  Commit commit;
  commit.number = effect.commit;
  commit.admission = effect.admission;
  commit.appended = timers_.now().mono;
  commit.records = std::make_shared<const std::vector<domain::Record>>(std::move(effect.records));
  const auto records = commit.records;
  if (base::planted(10)) show(commit);
  commits_.push_back(std::move(commit));
  journal_.append(effect.commit, records);
}

void Shell::perform(domain::Reply& effect) {
  if (effect.after <= on_disk_ || base::planted(1)) return deliver(std::move(effect));
  const std::size_t at = effect.after - commits_.front().number;
  auto& replies = commits_[at].replies;
  // A second answer to a ticket replaces the first: a commit that one rested on has failed.
  std::erase_if(replies, [&](const domain::Reply& first) { return first.ticket == effect.ticket; });
  replies.push_back(std::move(effect));
}

void Shell::deliver(domain::Reply reply) {
  const auto found = tickets_.find(reply.ticket);
  if (found == tickets_.end()) return;
  if (auto* refused = std::get_if<domain::Error>(&reply.body)) {
    clocks_.count(std::string("refused.") + std::string(to_string(refused->code)));
    found->second->set(domain::fail(std::move(*refused)));
  } else {
    found->second->set(std::move(reply.body));
  }
  tickets_.erase(found);
}

void Shell::journal_done(domain::CommitNo number, domain::Status status) {
  if (commits_.empty() || number < commits_.front().number) return;
  const std::size_t at = number - commits_.front().number;
  if (at >= commits_.size()) return;
  Commit& commit = commits_[at];
  if (status) {
    commit.state = Commit::State::Written;
    const base::MonoTime now = timers_.now().mono;
    clocks_.add(Stage::Journal, now, now - commit.appended);
  } else if (commit.admission) {
    commit.state = Commit::State::Undone;
    commit.replies.clear();
    clocks_.count("journal.admission_failed");
    feed(domain::PersistFailed{number, status.error()});
  } else if (base::planted(9)) {
    commit.state = Commit::State::Written;
  } else {
    commit.state = Commit::State::Failed;
    clocks_.count("journal.write_failed");
    if (!stuck_) {
      stuck_ = true;
      base::log()->error("a change could not be written and is tried again every second: {}",
                         status.error().message);
      alarms_.at(timers_.now().mono + kRetryEvery, [this] { retry_failed(); });
      feed(domain::Hold{true});
    }
  }
  advance();
}

void Shell::retry_failed() {
  stuck_ = false;
  for (Commit& commit : commits_) {
    if (commit.state != Commit::State::Failed) continue;
    if (!take_newer_pools(commit)) {
      stuck_ = true;
      continue;
    }
    commit.state = Commit::State::Waiting;
    commit.again = true;
    journal_.append(commit.number, commit.records);
  }
  if (stuck_) alarms_.at(timers_.now().mono + kRetryEvery, [this] { retry_failed(); });
  alarms_.at(timers_.now().mono + kRetryEvery, [this] { end_hold(); });
}

// Still failing ones set `stuck_` again when they report; the core is held until none does, and
// none is still to report.
void Shell::end_hold() {
  if (stuck_) return;  // after the next try
  const bool unsure = std::any_of(commits_.begin(), commits_.end(), [](const Commit& commit) {
    return commit.again && commit.state == Commit::State::Waiting;
  });
  if (!unsure) return feed(domain::Hold{false});
  alarms_.at(timers_.now().mono + kRetryEvery, [this] { end_hold(); });
}

// A commit that is tried again comes after newer ones. Versions sort tasks and workflows; pools
// have none, so what a newer commit has written of a pool is written again in place of what this
// one says. False: a newer word on one of its pools is under way; it has to wait for that.
bool Shell::take_newer_pools(Commit& commit) {
  std::vector<domain::Record> records;
  for (std::size_t i = 0; i < commit.records->size(); ++i) {
    const auto pool = pool_of((*commit.records)[i]);
    if (!pool) continue;
    const domain::Record* newest = nullptr;
    for (const Commit& other : commits_) {
      if (other.number <= commit.number) continue;
      for (const domain::Record& record : *other.records) {
        if (pool_of(record) != pool) continue;
        if (other.state == Commit::State::Waiting) return false;
        if (other.state == Commit::State::Written) newest = &record;
      }
    }
    if (newest == nullptr) continue;
    if (records.empty()) records = *commit.records;
    records[i] = *newest;
  }
  if (!records.empty()) {
    commit.records = std::make_shared<const std::vector<domain::Record>>(std::move(records));
  }
  return true;
}

void Shell::advance() {
  const domain::CommitNo before = on_disk_;
  std::vector<domain::Reply> replies;
  while (!commits_.empty() && (commits_.front().state == Commit::State::Written ||
                               commits_.front().state == Commit::State::Undone)) {
    Commit commit = std::move(commits_.front());
    commits_.pop_front();
    on_disk_ = commit.number;
    if (commit.state == Commit::State::Written) show(commit);
    std::move(commit.replies.begin(), commit.replies.end(), std::back_inserter(replies));
  }
  if (on_disk_ == before) return;
  for (domain::Reply& reply : replies) deliver(std::move(reply));
  feed(domain::Persisted{on_disk_});
  watchers_.notify(kProgress);
}

void Shell::show(const Commit& commit) {
  for (const domain::Record& record : *commit.records) {
    records_.committed(record);
    if (const auto* task = std::get_if<domain::TaskChanged>(&record)) {
      watchers_.notify(task->task.value);
      watchers_.notify(task->task.value, Topic::Output);
      if (task->workflow) watchers_.notify(task->workflow.value);
    } else if (const auto* workflow = std::get_if<domain::WorkflowChanged>(&record)) {
      watchers_.notify(workflow->workflow.value);
    } else if (const auto* pool = std::get_if<domain::PoolPut>(&record)) {
      keep_workers_ready(pool->pool);
      watchers_.notify(pool->pool.id.value);
    } else if (const auto* gone = std::get_if<domain::PoolRemoved>(&record)) {
      for (auto& [type, port] : executors_) port->keep_ready(gone->pool, 0);
      clocks_.forget(gone->pool);
      watchers_.notify(gone->pool.value);
    }
  }
  if (options_.committed) options_.committed(*commit.records);
}

// A paused pool keeps its workers, one that drains starts nothing any more.
void Shell::keep_workers_ready(const domain::PoolRecord& pool) {
  const auto port = executors_.find(pool.spec.worker_type);
  if (port == executors_.end()) return;
  const bool leaving = pool.state == domain::PoolState::Draining;
  port->second->keep_ready(pool.id,
                           leaving ? 0 : std::min(pool.spec.min_workers, pool.target_workers));
}

// ── Attempts ─────────────────────────────────────────────────────────────────────────────────────

void Shell::perform(domain::StartAttempt& effect) {
  Live live;
  live.task = effect.task;
  live.pool = effect.pool;
  live.attempt = effect.attempt;
  live.begun = live.running_since = live.ended_at = timers_.now().mono;
  attempts_[effect.fence] = live;
  running_[effect.task] = effect.fence;
  clocks_.queue_wait(effect.pool, live.begun, effect.queue_time);
  records_.task(effect.task, [this, effect](domain::Result<TaskPtr> read) {
    if (!stopped_) payload_read(effect, std::move(read));
  });
}

void Shell::payload_read(domain::StartAttempt effect, domain::Result<TaskPtr> read) {
  const auto found = attempts_.find(effect.fence);
  if (found == attempts_.end()) return;
  Live& live = found->second;
  if (live.stop) return never_started(effect.fence, *live.stop, "it was stopped before it began");
  if (!read || !(*read)->spec) {
    return never_started(effect.fence, domain::Reason::Lost,
                         "its payload could not be read: " +
                             (read ? std::string("the record has none") : read.error().message));
  }
  const domain::TaskRecord& task = **read;
  const auto port = executors_.find(task.spec->worker_type);
  if (port == executors_.end()) {
    return never_started(effect.fence, domain::Reason::Rejected,
                         "no executor serves worker type \"" + task.spec->worker_type + "\"");
  }
  live.executor = port->second;
  port->second->start(order_of(effect, task));
}

domain::AttemptOrder Shell::order_of(const domain::StartAttempt& effect,
                                     const domain::TaskRecord& task) const {
  const domain::TaskSpec& spec = *task.spec;
  const auto pool = core_.pool(effect.pool);
  domain::AttemptOrder order;
  order.task = effect.task;
  order.attempt = effect.attempt;
  order.fence = effect.fence;
  order.work = spec.work;
  order.timeouts = spec.timeouts;
  order.total_left = effect.total_left;
  order.grace = options_.stop_grace;
  if (pool) order.settings = pool->record.spec.settings;
  order.cwd = spec.work.cwd.empty() ? spec.repo_path : spec.work.cwd;

  // The environment, in rising order: allow-list (of the client that asked, or else of the server,
  // never a mixture: the server may have been started by another client), pool, task, ours.
  domain::StringMap env;
  const domain::StringMap& given = spec.client_env ? *spec.client_env : options_.server_env;
  for (const std::string& name : options_.env_allow) {
    const auto found = given.find(name);
    if (found != given.end()) env[name] = found->second;
  }
  if (pool) {
    for (const auto& [name, value] : pool->record.spec.env) env[name] = value;
    const domain::Limits standard;
    const domain::Limits& pools = pool->record.spec.limits;
    domain::Limits& own = order.work.limits;
    own.memory_bytes = own_or(own.memory_bytes, standard.memory_bytes, pools.memory_bytes);
    own.cpu_ms = own_or(own.cpu_ms, standard.cpu_ms, pools.cpu_ms);
    own.output_bytes = own_or(own.output_bytes, standard.output_bytes, pools.output_bytes);
    own.processes = own_or(own.processes, standard.processes, pools.processes);
    const domain::Timeouts usual;
    order.timeouts.idle = own_or(order.timeouts.idle, usual.idle, pool->record.spec.timeouts.idle);
    order.timeouts.run = own_or(order.timeouts.run, usual.run, pool->record.spec.timeouts.run);
  }
  for (const auto& [name, value] : spec.work.env) env[name] = value;
  for (const auto& [name, value] : effect.env) env[name] = value;
  env["MAHAVISHNU_TASK"] = effect.task.str();
  if (!spec.repo.empty()) env["MAHAVISHNU_REPO"] = spec.repo;
  order.work.env = std::move(env);
  return order;
}

void Shell::never_started(domain::Fence fence, domain::Reason reason, std::string message) {
  domain::AttemptEnded end;
  end.fence = fence;
  end.reason = reason;
  end.result.message = std::move(message);
  attempt_ended(std::move(end));
}

void Shell::perform(domain::StopAttempt& effect) {
  const auto found = attempts_.find(effect.fence);
  if (found == attempts_.end() || found->second.ended) return;
  if (found->second.executor == nullptr) {
    found->second.stop = effect.why;
  } else {
    found->second.executor->stop(effect.fence, effect.why);
  }
}

void Shell::stop_attempts(domain::Reason why) {
  std::vector<domain::Fence> fences;
  for (const auto& [fence, live] : attempts_) {
    if (!live.ended) fences.push_back(fence);
  }
  for (const domain::Fence fence : fences) {
    domain::StopAttempt stop{fence, why};
    perform(stop);
  }
}

void Shell::perform(domain::ReleaseAttempt& effect) {
  const auto found = attempts_.find(effect.fence);
  if (found == attempts_.end()) return;
  const base::MonoTime now = timers_.now().mono;
  clocks_.add(Stage::Collect, now, now - found->second.ended_at);
  if (found->second.executor != nullptr) found->second.executor->release(effect.fence);
  const auto running = running_.find(found->second.task);
  if (running != running_.end() && running->second == effect.fence) running_.erase(running);
  attempts_.erase(found);
}

void Shell::attempt_started(domain::Fence fence) {
  if (stopped_) return;
  const auto found = attempts_.find(fence);
  if (found == attempts_.end()) return;
  if (!found->second.started) {
    found->second.started = true;
    const auto now = timers_.now().mono;
    found->second.running_since = now;
    clocks_.add(Stage::Spawn, now, now - found->second.begun);
  }
  feed(domain::AttemptStarted{fence});
}

void Shell::attempt_ended(domain::AttemptEnded end) {
  if (stopped_) return;
  const auto found = attempts_.find(end.fence);
  if (found != attempts_.end() && !found->second.ended) {
    found->second.ended = true;
    const auto now = timers_.now().mono;
    found->second.ended_at = now;
    clocks_.run_time(found->second.pool, now, now - found->second.running_since);
    clocks_.count("attempt.ended." + std::string(to_string(end.reason)));
  }
  feed(std::move(end));
}

const Shell::Live* Shell::live_of(domain::TaskId task, domain::Fence* fence) const {
  const auto running = running_.find(task);
  if (running == running_.end()) return nullptr;
  const auto found = attempts_.find(running->second);
  if (found == attempts_.end()) return nullptr;
  *fence = running->second;
  return &found->second;
}

base::awaitable<domain::Result<std::vector<domain::Restored::Found>>> Shell::recover() {
  std::vector<domain::Restored::Found> all;
  for (auto& [type, port] : executors_) {
    domain::Executor* executor = port;
    auto ask = [executor](auto callback) { executor->recover(std::move(callback)); };
    auto found =
        co_await answer_of<std::vector<domain::Restored::Found>>(executor_, std::move(ask));
    if (!found) co_return domain::fail(found.error());
    for (const auto& one : *found) {
      Live live;
      live.task = one.task;
      live.executor = executor;
      live.attempt = one.attempt;
      live.begun = live.running_since = live.ended_at = timers_.now().mono;
      live.started = true;
      attempts_[one.fence] = live;
      running_[one.task] = one.fence;
      all.push_back(one);
    }
  }
  co_return all;
}

// ── The rest ─────────────────────────────────────────────────────────────────────────────────────

void Shell::perform(domain::WakeAt& effect) {
  if (core_alarm_) alarms_.cancel(*core_alarm_);
  core_alarm_ = alarms_.at(effect.at, [this] {
    core_alarm_.reset();
    feed(domain::TimerDue{});
  });
}

void Shell::perform(domain::WorkflowEnded& effect) {
  base::log()->info("workflow {} ended", effect.workflow.str());
}

void Shell::stop() {
  if (stopped_) return;
  stopped_ = true;
  watchers_.stop();
  alarms_.clear();
  for (auto& [ticket, waiting] : tickets_) {
    waiting->set(domain::fail(domain::ErrorCode::Unavailable, "the server is shutting down"));
  }
  tickets_.clear();
}

}  // namespace mahavishnu::control
