// The first event of a life: everything is built again from what the journal holds and from what
// the executors found, then goes on as if nothing had happened.
//
// Four passes: what there is; how the cells of workflows stand; which attempts still run; and then,
// in order of admission, what every task does next. An attempt nobody found is lost.
#include <algorithm>

#include "base/planted.h"
#include "domain/core_state.h"

namespace mahavishnu::domain {

void Core::State::on(const Restored& event) {
  epoch = event.snapshot.epoch;
  fence_counter = 0;
  for (const bool draining : {false, true}) {
    for (const PoolRecord& record : event.snapshot.pools) {
      if ((record.state == PoolState::Draining) == draining) restore_pool(record);
    }
  }
  for (const WorkflowRecord& record : event.snapshot.workflows) restore_flow(record);
  for (const TaskRecord& record : event.snapshot.tasks) {
    if (is_terminal(record.status.state)) {
      restore_ended(record);
    } else if (record.spec != nullptr && find_task(record.id) == kNone) {
      restore_task(record);
    }
  }
  for (std::uint32_t flow = 0; flow < flows.end(); ++flow) {
    if (flows[flow].durable) restore_cells(flow);
  }
  repo_numbers.clear();
  for (const TaskRecord& record : event.snapshot.tasks) restore_needs(record);
  ended_before.clear();
  for (const Restored::Found& found : event.attempts) restore_attempt(found);
  for (const TaskRecord& record : event.snapshot.tasks) resume(record);
  for (const PoolRecord& record : event.snapshot.pools) {
    if (const std::uint32_t pool = find_pool(record.id); pool != kNone) close_if_empty(pool);
  }
}

// Of two with one name the draining one was gone already: its removal came not to the disk before
// its successor did.
void Core::State::restore_pool(const PoolRecord& record) {
  if (find_pool(record.id) != kNone) return;
  if (pool_names.contains(record.spec.name)) return this->record(PoolRemoved{record.id});
  const std::uint32_t slot = add_pool(record.id, record.spec);
  LivePool& pool = pools[slot];
  pool.created = record.created;
  pool.target = record.target_workers;
  pool.paused = record.paused;
  pool.draining = record.state == PoolState::Draining;
  pool.durable = true;
  pool_changed(slot);
}

void Core::State::restore_flow(const WorkflowRecord& record) {
  if (record.spec == nullptr || find_flow(record.id) != kNone) return;
  auto plan = Plan::make(*record.spec);
  if (!plan) return;  // it was made from this specification before: cannot be
  const std::uint32_t slot = add_flow(record.id, *record.spec, std::move(*plan));
  LiveFlow& flow = flows[slot];
  flow.created = record.created;
  flow.durable = true;
  flow.status.state = record.status.state;
  flow.status.version = record.status.version;
  flow.status.started = record.status.started;
  if (!record.spec->idempotency_key.empty()) {
    flow.key = keys.add(record.spec->caller, record.spec->idempotency_key);
    keys[flow.key].workflow = flow.id;
  }
  if (slot >= repo_numbers.size()) repo_numbers.resize(slot + 1);
  for (std::uint32_t repo = 0; repo < record.spec->repos.size(); ++repo) {
    repo_numbers[slot].emplace(record.spec->repos[repo].name, repo);
  }
}

// kNone: the workflow has no such cell.
std::uint32_t Core::State::cell_for(std::uint32_t slot, const TaskRecord& record) const {
  const Plan& plan = flows[slot].plan;
  const auto step = std::find_if(plan.steps.begin(), plan.steps.end(),
                                 [&](const Plan::Step& s) { return s.id == record.step; });
  if (step == plan.steps.end()) return kNone;
  if (step->each == Each::Once) return step->first_cell;
  if (record.spec == nullptr) return kNone;
  const auto repo = repo_numbers[slot].find(record.spec->repo);
  return repo == repo_numbers[slot].end() ? kNone : step->first_cell + repo->second;
}

// Ended before, but others may still ask how. Of its specification the repository is enough.
void Core::State::restore_ended(const TaskRecord& record) {
  ended_before[record.id] = record.status.state == TaskState::Completed;
  outcomes.remember(record.id, ended_before[record.id]);
  const std::uint32_t slot = record.workflow ? find_flow(record.workflow) : kNone;
  const std::uint32_t cell = slot == kNone ? kNone : cell_for(slot, record);
  if (cell == kNone) return;
  LiveTask ended;
  ended.state = record.status.state;
  ended.reason = record.status.reason;
  ended.cell = cell;
  flows[slot].ends[cell] = end_of(ended, flows[slot]);
}

std::uint32_t Core::State::pool_for(const TaskRecord& record) {
  const std::uint32_t pool = find_pool(record.pool);
  if (pool != kNone) return pool;
  // A tool is one of its pool's server: another pool's may do something else under that name.
  if (!record.spec->work.tool.empty()) return kNone;
  const std::uint32_t other =
      selector.choose(Selector::LeastLoaded, record.spec->worker_type, {}, chance.draw());
  if (other != kNone) return other;
  return pool_names.empty() ? kNone : pool_names.begin()->second;
}

void Core::State::restore_task(const TaskRecord& record) {
  const std::uint32_t pool = pool_for(record);
  if (pool == kNone) {
    // Its pool is gone and no other can do it: the one case in which nothing can be kept for later.
    TaskStatus status = record.status;
    status.state = TaskState::Failed;
    status.reason = Reason::Rejected;
    status.ended = now.wall;
    ++status.version;
    TaskResult result;
    result.message = "its pool is gone and no other can do its work";
    this->record(TaskChanged{record.id, record.workflow, status, std::move(result), record.batch});
    return;
  }
  const std::uint32_t slot = add_task(record.id, *record.spec, pool);
  LiveTask& t = tasks[slot];
  const TaskStatus& status = record.status;
  t.durable = true;
  t.batch = record.batch;
  t.created = record.created;
  t.started = status.started.value_or(WallTime{});
  t.attempt = status.attempt;
  t.version = static_cast<std::uint32_t>(status.version);
  t.queue_time = status.queue_time;
  t.run_time = status.run_time;
  t.state = status.state;
  if (record.spec->timeouts.total.count() > 0) {
    t.total_at = due_at(record.created +
                        std::min(record.spec->timeouts.total, Millis(std::chrono::hours(876000))));
  }
  t.cancelling = status.state == TaskState::Running && status.reason == Reason::CancelledByCaller;
  if (!record.spec->idempotency_key.empty()) {
    if (keys.find(record.spec->caller, record.spec->idempotency_key) == kNone) {
      t.key = keys.add(record.spec->caller, record.spec->idempotency_key);
      keys[t.key].task = t.id;
    }
  }
  count(slot, Bucket::Delayed);
  const std::uint32_t flow = record.workflow ? find_flow(record.workflow) : kNone;
  const std::uint32_t cell = flow == kNone ? kNone : cell_for(flow, record);
  if (cell == kNone || flows[flow].tasks[cell] != kNone) return;
  t.flow = flow;
  t.cell = cell;
  flows[flow].tasks[cell] = slot;
}

// Counts how the workflow stands, finds which cells were skipped for want of anything to do (the
// record does not tell them from others that were skipped), and ends it if only that was missing.
void Core::State::restore_cells(std::uint32_t slot) {
  LiveFlow& flow = flows[slot];
  bool cancelled = false;
  bool all_asked = true;
  for (const std::uint32_t step_number : flow.plan.order) {
    const Plan::Step& step = flow.plan.steps[step_number];
    for (std::uint32_t repo = 0; repo < flow.plan.width(step_number); ++repo) {
      const std::uint32_t number = flow.plan.number(step_number, repo);
      const std::uint32_t task = flow.tasks[number];
      CellEnd& end = flow.ends[number];
      if (task != kNone) {
        all_asked = all_asked && tasks[task].cancelling;
        continue;
      }
      if (end == CellEnd::Open) end = CellEnd::Skipped;  // its record is lost: it cannot run
      if (end == CellEnd::Skipped && verdict(flow, {step_number, repo}) == CellEnd::Idle) {
        end = CellEnd::Idle;
      }
      const bool failed = end == CellEnd::Failed || end == CellEnd::Cancelled;
      if (failed && step.on_failure == OnFailure::StopAll) flow.stopped_all = true;
      if (failed && step.on_failure == OnFailure::Stop && step.each == Each::Repo) {
        flow.stopped[repo] = true;
      }
      cancelled |= end == CellEnd::Cancelled;
      ++flow.settled;
      --flow.status.queued;
      flow.status.completed += end == CellEnd::Completed ? 1 : 0;
      flow.status.failed += end == CellEnd::Failed || end == CellEnd::Allowed ? 1 : 0;
      flow.status.cancelled += end == CellEnd::Cancelled ? 1 : 0;
      flow.status.skipped += end == CellEnd::Skipped || end == CellEnd::Idle ? 1 : 0;
    }
  }
  // A cancelled workflow has marked every task it had left.
  flow.cancelling = all_asked && (cancelled || flow.settled < flow.plan.cells);
  if (flow.settled == flow.plan.cells) {
    flow.over = true;
    flow.status.state = final_state(flow);
    flow.status.ended = now.wall;
    if (flow.key != kNone) keys.ended(flow.key, now.mono);
    touch(slot);
  }
}

// A task that was started once waits for nothing any more.
void Core::State::restore_needs(const TaskRecord& record) {
  const std::uint32_t slot = find_task(record.id);
  if (slot == kNone || tasks[slot].attempt > 0) return;
  LiveTask& t = tasks[slot];
  if (t.flow != kNone) {
    t.waits = open_needs(flows[t.flow], flows[t.flow].plan.cell(t.cell));
    return;
  }
  for (const TaskId id : record.spec->depends_on) {
    const std::uint32_t needed = find_task(id);
    if (needed != kNone && needed != slot) {
      dependencies.join(slot, needed);
    } else {
      // The snapshot has every task a live one depends on; one that is missing was never admitted.
      const auto ended = ended_before.find(id);
      t.doomed |= ended == ended_before.end() || !ended->second;
    }
  }
}

// It runs, whatever the journal says, unless the journal says its task has ended or a newer attempt
// is there too.
void Core::State::restore_attempt(const Restored::Found& found) {
  const std::uint32_t slot = find_task(found.task);
  if (slot == kNone || (tasks[slot].place == Place::Running && found.fence < tasks[slot].fence)) {
    effects.emplace_back(StopAttempt{found.fence, Reason::Lost});
    effects.emplace_back(ReleaseAttempt{found.fence});
    return;
  }
  LiveTask& t = tasks[slot];
  if (t.place == Place::Running) {
    effects.emplace_back(StopAttempt{t.fence, Reason::Lost});
    effects.emplace_back(ReleaseAttempt{t.fence});
    give_back(slot);
    if (t.in_flow) {
      --flows[t.flow].status.running;
      ++flows[t.flow].status.queued;
    }
  }
  dependencies.forget(slot);
  t.waits = 0;
  t.doomed = false;
  const bool known = t.state == TaskState::Running && t.attempt == found.attempt;
  t.attempt = std::max(t.attempt, found.attempt);
  t.up = true;
  begin_attempt(slot, found.fence);
  if (base::planted(8)) ledger.take(claim_of(t));
  if (!known) {
    keep_together(2);
    record_change(slot, nullptr);
    record(AttemptPut{attempt_record(t)});
  }
  if (t.cancelling) {
    t.reason = Reason::CancelledByCaller;
    stop_attempt(slot, Reason::CancelledByCaller);
  }
}

void Core::State::resume(const TaskRecord& record) {
  const std::uint32_t slot = find_task(record.id);
  if (slot == kNone || is_terminal(record.status.state)) return;
  LiveTask& t = tasks[slot];
  const auto journalled =
      std::find_if(record.attempts.rbegin(), record.attempts.rend(),
                   [&](const AttemptRecord& attempt) { return attempt.number == t.attempt; });
  const bool has_attempt = journalled != record.attempts.rend();
  if (t.place == Place::Running) {
    // When it really started, so that run times are right.
    const WallTime started = has_attempt ? journalled->started : t.started;
    if (started < now.wall && (has_attempt || t.attempt == 1)) t.since -= now.wall - started;
    return;
  }
  if (t.place != Place::Held) return;
  if (t.state == TaskState::Running) {
    AttemptRecord lost;
    if (has_attempt) lost = *journalled;
    lost.task = t.id;
    lost.number = t.attempt;
    if (!has_attempt) lost.started = t.started;
    lost.ended = now.wall;
    lost.reason = Reason::Lost;
    keep_together(2);
    this->record(AttemptPut{std::move(lost)});
    decide(slot, Reason::Lost, nullptr);
  } else if (t.state == TaskState::RetryWait) {
    t.place = Place::RetryWait;
    t.reason = record.status.reason;
    t.since = due_at(record.status.due.value_or(now.wall));
    set_timer(slot);
  } else {
    if (t.waits == 0 && !t.doomed && t.since <= now.mono) count(slot, Bucket::Queued);
    if (t.flow != kNone && t.attempt == 0) {
      decide_cell(t.flow, t.cell);
    } else {
      t.since = MonoTime::min() < t.since && t.attempt > 0 ? MonoTime::min() : t.since;
      advance(slot);
    }
  }
}

}  // namespace mahavishnu::domain
