// A task's way from held to ended, whatever moves it.
#include <algorithm>

#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {

// Longer than any server runs; keeps sums of times from overflowing.
constexpr Millis kForever = std::chrono::hours(24 * 365 * 100);

std::string joined(const StringMap& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    if (text.empty()) text = '\x1E';
    text += key;
    text += '\x1F';
    text += value;
    text += '\x1E';
  }
  return text;
}

}  // namespace

MonoTime Core::State::due_at(Millis from_now) const {
  return now.mono + std::clamp(from_now, -kForever, kForever);
}

MonoTime Core::State::due_at(WallTime at) const {
  return due_at(std::chrono::duration_cast<Millis>(at - now.wall));
}

std::uint32_t Core::State::find_task(TaskId id) const {
  return task_index.find(hash_id(id.value), [&](std::uint32_t s) { return tasks[s].id == id; });
}

std::uint32_t Core::State::add_task(TaskId id, const TaskSpec& spec, std::uint32_t pool) {
  const std::uint32_t slot = tasks.add();
  LiveTask& t = tasks[slot];
  t.id = id;
  t.created = now.wall;
  t.since = spec.not_before ? due_at(*spec.not_before) : MonoTime::min();
  t.total_at = spec.timeouts.total.count() > 0 ? due_at(spec.timeouts.total) : MonoTime::max();
  t.queue_limit = std::min(spec.timeouts.queue, kForever);
  t.start_limit = std::min(spec.timeouts.start, kForever);
  t.backoff = spec.retry.backoff;
  t.max_backoff = spec.retry.max_backoff;
  t.factor = static_cast<float>(spec.retry.factor);
  t.jitter = static_cast<float>(spec.retry.jitter);
  t.max_attempts = static_cast<std::uint32_t>(std::max(spec.retry.max_attempts, 1));
  t.max_per_repo = static_cast<std::uint32_t>(std::max(spec.max_per_repo, 1));
  t.priority = std::min<std::uint8_t>(spec.priority, kPriorities - 1);
  t.pool = pool;
  const std::uint32_t caller = callers.acquire(spec.caller);
  t.share = queues.join(pool, caller);
  t.caller = caller;
  t.repo = repos.acquire(spec.repo);
  t.labels = labels.acquire(joined(spec.labels));
  task_index.insert(hash_id(id.value), slot);
  return slot;
}

void Core::State::drop_task(std::uint32_t task) {
  LiveTask& t = tasks[task];
  timers.set(task, MonoTime::max());
  task_index.erase(hash_id(t.id.value), task);
  repos.release(t.repo);
  labels.release(t.labels);
  callers.release(t.caller);
  tasks.remove(task);
}

void Core::State::count(std::uint32_t task, Bucket bucket) {
  LiveTask& t = tasks[task];
  LivePool& pool = pools[t.pool];
  const auto add = [&](Bucket which, std::uint32_t one) {
    if (which == Bucket::Queued) {
      pool.queued += one;
      totals.queued += static_cast<std::uint64_t>(static_cast<std::int32_t>(one));
    } else if (which == Bucket::Running) {
      pool.running += one;
      totals.running += static_cast<std::uint64_t>(static_cast<std::int32_t>(one));
    } else if (which == Bucket::Delayed) {
      pool.delayed += one;
      totals.delayed += static_cast<std::uint64_t>(static_cast<std::int32_t>(one));
    }
  };
  add(t.bucket, static_cast<std::uint32_t>(-1));
  add(bucket, 1);
  t.bucket = bucket;
  pool_changed(t.pool);
}

Claim Core::State::claim_of(const LiveTask& t) const {
  const bool limited = t.flow != kNone && flows[t.flow].limited;
  return {t.repo, limited ? t.flow : kNone, t.max_per_repo};
}

void Core::State::advance(std::uint32_t task) {
  LiveTask& t = tasks[task];
  if (!t.durable || t.place != Place::Held) return;
  if (t.doomed) {
    finish(task, TaskState::Cancelled, Reason::DependencyFailed, nullptr);
  } else if (t.waits == 0 && t.since <= now.mono) {
    enqueue(task);
  } else {
    set_timer(task);
  }
}

void Core::State::enqueue(std::uint32_t task) {
  LiveTask& t = tasks[task];
  t.place = Place::Queue;
  t.state = TaskState::Queued;
  t.since = now.mono;
  queues.push(task, claim_of(t));
  count(task, Bucket::Queued);
  set_timer(task);
}

void Core::State::set_timer(std::uint32_t task) {
  LiveTask& t = tasks[task];
  MonoTime at = t.total_at;
  switch (t.place) {
    case Place::Held:
      if (t.waits == 0) at = std::min(at, t.since);
      break;
    case Place::RetryWait:
      at = std::min(at, t.since);
      break;
    case Place::Queue:
      if (t.queue_limit.count() > 0) at = std::min<MonoTime>(at, t.since + t.queue_limit);
      break;
    case Place::Running:
      if (t.stopping != Reason::None) {
        at = MonoTime::max();
      } else if (!t.up && t.start_limit.count() > 0) {
        at = std::min<MonoTime>(at, t.since + t.start_limit);
      }
      break;
    case Place::Ended:
      at = MonoTime::max();
  }
  timers.set(task, at);
}

// Its time came; the timer is out already.
void Core::State::fire(std::uint32_t task) {
  LiveTask& t = tasks[task];
  const bool total = t.total_at <= now.mono;
  if (t.place == Place::Running) {
    stop_attempt(task, total ? Reason::TotalTimeout : Reason::StartTimeout);
  } else if (total) {
    finish(task, TaskState::Failed, Reason::TotalTimeout, nullptr);
  } else if (t.place == Place::Queue) {
    finish(task, TaskState::Failed, Reason::QueueTimeout, nullptr);
  } else if (t.place == Place::RetryWait) {
    t.reason = Reason::None;
    enqueue(task);
    requeued.push_back(task);
  } else if (t.place == Place::Held) {
    advance(task);
  }
}

void Core::State::stop_attempt(std::uint32_t task, Reason why) {
  LiveTask& t = tasks[task];
  if (t.stopping != Reason::None) return;
  t.stopping = why;
  effects.emplace_back(StopAttempt{t.fence, why});
  set_timer(task);
}

void Core::State::cancel(std::uint32_t task) {
  LiveTask& t = tasks[task];
  if (t.place != Place::Running) {
    finish(task, TaskState::Cancelled, Reason::CancelledByCaller, nullptr);
    return;
  }
  t.cancelling = true;
  t.reason = Reason::CancelledByCaller;  // on disk, so that the answer holds after a crash
  record_change(task, nullptr);  // again, for another caller: the first may not be there yet
  stop_attempt(task, Reason::CancelledByCaller);
}

TaskStatus Core::State::status_of(const LiveTask& t) const {
  TaskStatus status;
  status.state = t.state;
  status.reason = t.reason;
  status.attempt = t.attempt;
  status.version = t.version;
  if (t.started != WallTime{}) status.started = t.started;
  if (t.place == Place::Ended) status.ended = now.wall;
  const bool waits = t.place == Place::RetryWait || t.place == Place::Held;
  if (waits && t.since > now.mono) {
    status.due = now.wall + std::chrono::duration_cast<Millis>(t.since - now.mono);
  }
  status.queue_time = t.queue_time;
  status.run_time = t.run_time;
  return status;
}

void Core::State::record_change(std::uint32_t task, const TaskResult* result) {
  LiveTask& t = tasks[task];
  ++t.version;
  record(TaskChanged{t.id, t.flow == kNone ? WorkflowId{} : flows[t.flow].id, status_of(t),
                     result == nullptr ? std::nullopt : std::optional<TaskResult>(*result),
                     t.batch});
}

// Everything the task held in the core is given back now; those that wait for it learn of its end
// when that is on disk (settle).
void Core::State::finish(std::uint32_t task, TaskState state, Reason reason,
                         const TaskResult* result) {
  LiveTask& t = tasks[task];
  if (t.place == Place::Queue) {
    t.queue_time += std::chrono::duration_cast<Millis>(now.mono - t.since);
    queues.remove(task);
  }
  dependencies.forget(task);
  t.place = Place::Ended;
  t.state = state;
  t.reason = reason;
  set_timer(task);
  record_change(task, result);
  after_commit({0, Pending::Kind::Settle, task, t.id.value, {}, 0});
  if (t.key != kNone && t.durable) keys.ended(t.key, now.mono);  // or when its admission is on disk
  const std::uint32_t slot = t.pool;
  LivePool& pool = pools[slot];
  const bool failed = state == TaskState::Failed || state == TaskState::Dead;
  pool.completed += state == TaskState::Completed ? 1 : 0;
  pool.failed += failed ? 1 : 0;
  totals.completed += state == TaskState::Completed ? 1 : 0;
  totals.failed += state == TaskState::Failed ? 1 : 0;
  totals.cancelled += state == TaskState::Cancelled ? 1 : 0;
  totals.dead += state == TaskState::Dead ? 1 : 0;
  count(task, Bucket::None);
  queues.leave(t.share);
  t.pool = t.share = kNone;
  if (failed && t.flow != kNone) stop_after(t.flow, t.cell);
  close_if_empty(slot);
}

// Its end is on disk: the executor may forget the attempt, and those that waited for it go on.
void Core::State::settle(std::uint32_t task) {
  LiveTask& t = tasks[task];
  if (t.fence != Fence{}) effects.emplace_back(ReleaseAttempt{t.fence});
  const bool completed = t.state == TaskState::Completed;
  outcomes.remember(t.id, completed);
  for (std::uint32_t waiter = dependencies.take_waiter(task); waiter != kNone;
       waiter = dependencies.take_waiter(task)) {
    if (!completed) tasks[waiter].doomed = true;
    advance(waiter);
  }
  const std::uint32_t flow = t.flow;
  if (flow == kNone) {
    drop_task(task);
    return;
  }
  const std::uint32_t cell = t.cell;
  const CellEnd end = end_of(t, flows[flow]);
  if (t.in_flow) --flows[flow].status.running;
  if (!t.in_flow) --flows[flow].status.queued;
  drop_task(task);
  settle_cell(flow, cell, end);
}

}  // namespace mahavishnu::domain
