// Placing tasks on workers, and what follows from the ends of attempts.
#include <algorithm>

#include "base/planted.h"
#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {

std::uint64_t hash_fence(Fence fence) {
  return mix64(fence.counter ^ (fence.epoch * 0x9E3779B97F4A7C15ULL));
}

}  // namespace

std::uint32_t Core::State::find_fence(Fence fence) const {
  return fence_index.find(hash_fence(fence),
                          [&](std::uint32_t s) { return tasks[s].fence == fence; });
}

// What the end of its attempt is about to touch.
void Core::State::fetch_around(const LiveTask& t) const {
  fetch(t);
  fetch(pools[t.pool]);
  queues.fetch(t.pool, t.share);
}

// Limits that got room first bring back who waits there, so that pools choose among all; then pools
// take turns for the server's capacity. Room that was not used after all is offered again.
void Core::State::dispatch() {
  const auto may_place = [this] { return !held && !draining && ledger.server_has_room(); };
  const auto places = [&](std::uint32_t slot) {
    const LivePool& pool = pools[slot];
    return may_place() && !pool.paused && static_cast<int>(pool.running) < pool.target;
  };
  do {
    for (std::uint32_t pool = queues.wake(places); pool != kNone; pool = queues.wake(places)) {
      pool_changed(pool);
    }
    while (ring != kNone && may_place()) {
      const std::uint32_t pool = ring;
      ring = pools[pool].after;
      const std::uint32_t task = queues.next(pool, now.mono);
      if (task == kNone) {
        pool_changed(pool);
      } else {
        place(task);
      }
    }
  } while (queues.wake_more());
}

void Core::State::place(std::uint32_t task) {
  LiveTask& t = tasks[task];
  const auto waited = std::chrono::duration_cast<Millis>(now.mono - t.since);
  queues.take(task);
  ++t.attempt;
  t.queue_time += waited;
  t.up = false;
  begin_attempt(task, Fence{epoch, ++fence_counter});
  keep_together(2);
  record_change(task, nullptr);
  AttemptRecord attempt = attempt_record(t);
  StartAttempt start;
  start.task = t.id;
  start.attempt = t.attempt;
  start.fence = t.fence;
  start.pool = pools[t.pool].id;
  start.worker = attempt.worker;
  start.queue_time = waited;
  if (t.total_at != MonoTime::max()) {
    const auto left = std::chrono::duration_cast<Millis>(t.total_at - now.mono);
    start.total_left = std::max(left, Millis(1));
  }
  if (t.flow != kNone) start.env = environment(t);
  record(AttemptPut{std::move(attempt)});
  effects.emplace_back(std::move(start));
}

void Core::State::begin_attempt(std::uint32_t task, Fence fence) {
  LiveTask& t = tasks[task];
  t.place = Place::Running;
  t.state = TaskState::Running;
  t.reason = Reason::None;
  t.stopping = Reason::None;
  t.fence = fence;
  t.since = now.mono;
  if (t.started == WallTime{}) t.started = now.wall;
  fence_index.insert(hash_fence(fence), task);
  ledger.take(claim_of(t));
  queues.started(t.share);
  t.worker = pools[t.pool].workers.take();
  count(task, Bucket::Running);
  set_timer(task);
  if (t.flow == kNone) return;
  LiveFlow& flow = flows[t.flow];
  t.in_flow = true;
  --flow.status.queued;
  ++flow.status.running;
  if (flow.status.state == WorkflowState::Pending) {
    flow.status.state = WorkflowState::Running;
    flow.status.started = now.wall;
  }
  touch(t.flow);
}

void Core::State::give_back(std::uint32_t task) {
  LiveTask& t = tasks[task];
  const Claim claim = claim_of(t);
  fence_index.erase(hash_fence(t.fence), task);
  if (!base::planted(5) || !t.cancelling) ledger.give(claim);
  if (base::planted(4) && ledger.running() > 0) ledger.give(claim);
  queues.ended(t.share);
  queues.released(claim);
  pools[t.pool].workers.give(t.worker);
  t.worker = kNone;
  t.run_time += std::chrono::duration_cast<Millis>(now.mono - t.since);
}

AttemptRecord Core::State::attempt_record(const LiveTask& t) const {
  AttemptRecord attempt;
  attempt.task = t.id;
  attempt.number = t.attempt;
  attempt.fence = t.fence;
  attempt.worker = pools[t.pool].spec.name + "/" + std::to_string(t.worker + 1);
  attempt.started = now.wall - std::chrono::duration_cast<Millis>(now.mono - t.since);
  return attempt;
}

void Core::State::on(const AttemptStarted& event) {
  const std::uint32_t task = find_fence(event.fence);
  if (task == kNone) return;
  tasks[task].up = true;
  set_timer(task);
}

void Core::State::on(const AttemptEnded& event) {
  std::uint32_t task = find_fence(event.fence);
  for (std::uint32_t slot = 0; base::planted(3) && task == kNone && slot < tasks.end(); ++slot) {
    const LiveTask& other = tasks[slot];
    const bool runs = !other.id.is_null() && other.place == Place::Running;
    if (runs && other.fence.counter == event.fence.counter) task = slot;
  }
  if (task == kNone) {
    ++totals.stale_completions;
    return;
  }
  fetch_around(tasks[task]);
  end_attempt(task, event);
}

void Core::State::end_attempt(std::uint32_t task, const AttemptEnded& end) {
  keep_together(2);
  AttemptRecord attempt = attempt_record(tasks[task]);
  attempt.ended = now.wall;
  attempt.exit_code = end.exit_code;
  attempt.signal = end.signal;
  attempt.reason = end.reason;
  attempt.processes_left = end.processes_left;
  record(AttemptPut{std::move(attempt)});
  give_back(task);
  queues.fetch_next(tasks[task].pool);
  decide(task, end.reason == Reason::None ? Reason::Lost : end.reason, &end.result);
}

// What the end of an attempt makes of its task. Work that completed although its end was asked for
// is completed; anything else that was asked to end ends as it was asked to.
void Core::State::decide(std::uint32_t task, Reason reason, const TaskResult* result) {
  LiveTask& t = tasks[task];
  if (reason == Reason::Ok) return finish(task, TaskState::Completed, Reason::Ok, result);
  if (base::planted(7) && t.cancelling) reason = Reason::Lost;
  if ((t.cancelling && !base::planted(7)) || reason == Reason::CancelledByCaller) {
    finish(task, TaskState::Cancelled, Reason::CancelledByCaller, result);
    if (t.flow != kNone) stop_after(t.flow, t.cell);
    return;
  }
  if (t.stopping == Reason::TotalTimeout || reason == Reason::TotalTimeout) {
    return finish(task, TaskState::Failed, Reason::TotalTimeout, result);
  }
  if (!is_retryable(reason) || t.max_attempts <= 1) {
    return finish(task, TaskState::Failed, reason, result);
  }
  if (t.attempt >= t.max_attempts) return finish(task, TaskState::Dead, reason, result);
  const RetryPolicy policy{static_cast<int>(t.max_attempts), t.backoff, t.factor, t.jitter,
                           t.max_backoff};
  t.place = Place::RetryWait;
  t.state = TaskState::RetryWait;
  t.reason = reason;
  t.since = due_at(backoff_after(policy, t.attempt, chance.draw()));
  ++totals.retries;
  ++pools[t.pool].retries;
  count(task, Bucket::Delayed);
  set_timer(task);
  record_change(task, nullptr);
  if (t.fence != Fence{}) after_commit({0, Pending::Kind::Release, kNone, {}, t.fence, 0});
  t.fence = {};
  if (!t.in_flow) return;
  t.in_flow = false;
  ++flows[t.flow].status.queued;
  --flows[t.flow].status.running;
  touch(t.flow);
}

// What a cell's work may want to know. A step that runs once is told how those it waited for ended.
StringMap Core::State::environment(const LiveTask& t) const {
  const LiveFlow& flow = flows[t.flow];
  const Plan::Cell cell = flow.plan.cell(t.cell);
  const Plan::Step& step = flow.plan.steps[cell.step];
  StringMap env{{"MAHAVISHNU_WORKFLOW", flow.id.str()}, {"MAHAVISHNU_STEP", step.id}};
  if (step.each == Each::Repo) return env;
  int completed = 0;
  int failed = 0;
  int skipped = 0;
  for (const std::uint32_t needed : step.needs) {
    flow.plan.joined(cell, needed, [&](std::uint32_t other) {
      const CellEnd end = flow.ends[other];
      if (end == CellEnd::Completed) {
        ++completed;
      } else if (end == CellEnd::Skipped || end == CellEnd::Idle) {
        ++skipped;
      } else {
        ++failed;
      }
    });
  }
  env["MAHAVISHNU_CELLS_COMPLETED"] = std::to_string(completed);
  env["MAHAVISHNU_CELLS_FAILED"] = std::to_string(failed);
  env["MAHAVISHNU_CELLS_SKIPPED"] = std::to_string(skipped);
  return env;
}

}  // namespace mahavishnu::domain
