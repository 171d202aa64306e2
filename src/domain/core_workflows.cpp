// Workflows: their cells are tasks; here is what the end of one means to the others.
#include <algorithm>

#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {

std::shared_ptr<const TaskSpec> spec_of_cell(const WorkflowSpec& workflow, const StepSpec& step,
                                             const RepoRef* repo) {
  auto spec = std::make_shared<TaskSpec>();
  spec->work = step.work;
  spec->pool = step.pool;
  spec->worker_type = step.worker_type;
  spec->timeouts = step.timeouts;
  spec->retry = step.retry;
  spec->priority = std::min<std::uint8_t>(workflow.priority, kPriorities - 1);
  spec->labels = workflow.labels;
  spec->caller = workflow.caller;
  spec->max_per_repo = workflow.max_per_repo;
  spec->client_env = workflow.client_env;
  if (repo != nullptr) {
    spec->repo = repo->name;
    spec->repo_path = repo->path;
  }
  return spec;
}

bool is_bad(CellEnd end) {
  return end == CellEnd::Failed || end == CellEnd::Cancelled || end == CellEnd::Skipped;
}

}  // namespace

std::uint32_t Core::State::find_flow(WorkflowId id) const {
  return flow_index.find(hash_id(id.value), [&](std::uint32_t s) { return flows[s].id == id; });
}

std::uint32_t Core::State::add_flow(WorkflowId id, const WorkflowSpec& spec, Plan plan) {
  const std::uint32_t slot = flows.add();
  LiveFlow& flow = flows[slot];
  flow.id = id;
  flow.created = now.wall;
  flow.tasks.assign(plan.cells, kNone);
  flow.ends.assign(plan.cells, CellEnd::Open);
  flow.stopped.assign(plan.repos, false);
  flow.limited = spec.max_parallel > 0;
  if (flow.limited) ledger.set_flow_limit(slot, static_cast<std::uint32_t>(spec.max_parallel));
  flow.status.total = flow.status.queued = static_cast<int>(plan.cells);
  flow.plan = std::move(plan);
  flow_index.insert(hash_id(id.value), slot);
  return slot;
}

void Core::State::drop_flow(std::uint32_t slot) {
  LiveFlow& flow = flows[slot];
  if (flow.limited) ledger.set_flow_limit(slot, 0);
  flow_index.erase(hash_id(flow.id.value), slot);
  flows.remove(slot);
}

// A cell that waits goes where the cell before it in its repository goes: its load is not known
// yet, and the checkout's caches are warm there.
Result<std::uint32_t> Core::State::pool_of_cell(const LiveFlow& flow, Plan::Cell cell,
                                                const TaskSpec& spec) {
  const Plan::Step& step = flow.plan.steps[cell.step];
  if (!spec.pool && step.each == Each::Repo) {
    for (const std::uint32_t needed : step.needs) {
      const std::uint32_t task = flow.tasks[flow.plan.number(needed, cell.repo)];
      if (task == kNone) continue;
      const LivePool& pool = pools[tasks[task].pool];
      if (pool.spec.worker_type == spec.worker_type) return tasks[task].pool;
    }
  }
  return choose_pool(spec, !step.needs.empty());
}

std::uint32_t Core::State::open_needs(const LiveFlow& flow, Plan::Cell cell) const {
  std::uint32_t open = 0;
  for (const std::uint32_t needed : flow.plan.steps[cell.step].needs) {
    flow.plan.joined(cell, needed, [&](std::uint32_t other) {
      open += flow.ends[other] == CellEnd::Open ? 1 : 0;
    });
  }
  return open;
}

Status Core::State::admit_flow(const SubmitWorkflow& event, Plan plan) {
  const WorkflowSpec& spec = *event.spec;
  const std::uint32_t slot = add_flow(event.id, spec, std::move(plan));
  LiveFlow& flow = flows[slot];
  std::vector<std::shared_ptr<const TaskSpec>> specs(flow.plan.cells);
  for (const std::uint32_t step : flow.plan.order) {
    for (std::uint32_t repo = 0; repo < flow.plan.width(step); ++repo) {
      const bool once = flow.plan.steps[step].each == Each::Once;
      const std::uint32_t cell = flow.plan.number(step, repo);
      specs[cell] = spec_of_cell(spec, spec.steps[step], once ? nullptr : &spec.repos[repo]);
      auto pool = pool_of_cell(flow, {step, repo}, *specs[cell]);
      if (!pool) {
        undo_flow(slot);
        return fail(pool.error());
      }
      const std::uint32_t task = add_task(event.ids[cell], *specs[cell], *pool);
      LiveTask& t = tasks[task];
      t.flow = slot;
      t.cell = cell;
      t.waits = open_needs(flow, {step, repo});
      flow.tasks[cell] = task;
      count(task, t.waits == 0 ? Bucket::Queued : Bucket::Delayed);
      ++totals.admitted;
    }
  }
  record(WorkflowAdmitted{{flow.id, flow.created, event.spec, flow.status}});
  for (std::uint32_t cell = 0; cell < flow.plan.cells; ++cell) {
    record_admission(flow.tasks[cell], specs[cell], flow.plan.steps[flow.plan.cell(cell).step].id,
                     0);
  }
  if (!spec.idempotency_key.empty()) {
    flow.key = keys.add(spec.caller, spec.idempotency_key);
    keys[flow.key].workflow = flow.id;
    keys[flow.key].admission = commit();
  }
  after_commit({0, Pending::Kind::Flow, slot, flow.id.value, {}, 0});
  return {};
}

void Core::State::on(const SubmitWorkflow& event) {
  keys.expire(now.mono);
  const auto refuse = [&](const Error& error) {
    ++totals.refused;
    reply(event.ticket, error, 0);
  };
  const WorkflowSpec& spec = *event.spec;
  if (!draining && !spec.idempotency_key.empty()) {
    const std::uint32_t key = keys.find(spec.caller, spec.idempotency_key);
    if (key != kNone && keys[key].workflow.is_null()) {
      return refuse({ErrorCode::Conflict,
                     "the idempotency key \"" + spec.idempotency_key + "\" already names " +
                         keys[key].task.str(),
                     0});
    }
    if (key != kNone) {
      const CommitNo first = keys[key].admission;
      if (first != 0) after_commit({first, Pending::Kind::Ticket, kNone, {}, {}, event.ticket});
      return reply(event.ticket, SubmittedWorkflow{keys[key].workflow, true}, first);
    }
    if (Status free = key_is_free(spec.idempotency_key, event.key_sought); !free) {
      return refuse(free.error());
    }
  }
  auto plan = Plan::make(spec);
  if (!plan) return refuse(plan.error());
  if (spec.max_parallel < 0 || spec.max_per_repo < 1 || spec.priority >= kPriorities) {
    return refuse({ErrorCode::InvalidArgument,
                   "a workflow needs max_parallel of at least 0, max_per_repo of at least 1 and a "
                   "priority of 0 to 4",
                   0});
  }
  if (event.ids.size() != plan->cells || find_flow(event.id) != kNone) {
    return refuse({ErrorCode::Internal, "a workflow came with the wrong ids", 0});
  }
  if (Status room = may_admit(plan->cells); !room) return refuse(room.error());
  admitting = true;
  if (Status admitted = admit_flow(event, std::move(*plan)); !admitted) {
    admitting = false;
    return refuse(admitted.error());
  }
  after_commit({0, Pending::Kind::Ticket, kNone, {}, {}, event.ticket});
  reply(event.ticket, SubmittedWorkflow{event.id, false}, commit());
}

// ── The end of a cell ────────────────────────────────────────────────────────────────────────────

CellEnd Core::State::end_of(const LiveTask& t, const LiveFlow& flow) const {
  if (t.state == TaskState::Completed) return CellEnd::Completed;
  if (t.state == TaskState::Cancelled) {
    if (t.reason != Reason::DependencyFailed) return CellEnd::Cancelled;
    return t.idle_skip ? CellEnd::Idle : CellEnd::Skipped;
  }
  const Plan::Step& step = flow.plan.steps[flow.plan.cell(t.cell).step];
  return step.on_failure == OnFailure::Continue ? CellEnd::Allowed : CellEnd::Failed;
}

void Core::State::settle_cell(std::uint32_t slot, std::uint32_t number, CellEnd end) {
  LiveFlow& flow = flows[slot];
  flow.tasks[number] = kNone;
  flow.ends[number] = end;
  ++flow.settled;
  flow.status.completed += end == CellEnd::Completed ? 1 : 0;
  flow.status.failed += end == CellEnd::Failed || end == CellEnd::Allowed ? 1 : 0;
  flow.status.cancelled += end == CellEnd::Cancelled ? 1 : 0;
  flow.status.skipped += end == CellEnd::Skipped || end == CellEnd::Idle ? 1 : 0;
  touch(slot);
  const Plan::Cell cell = flow.plan.cell(number);
  const Plan::Step& step = flow.plan.steps[cell.step];
  if (end == CellEnd::Cancelled) stop_after(slot, number);
  for (const std::uint32_t fed : step.feeds) {
    flow.plan.joined(cell, fed, [&](std::uint32_t waiter) {
      const std::uint32_t task = flow.tasks[waiter];
      if (task == kNone || tasks[task].place != Place::Held || tasks[task].waits == 0) return;
      if (--tasks[task].waits == 0) decide_cell(slot, waiter);
    });
  }
  if (flow.settled == flow.plan.cells) {
    flow.over = true;
    flow.status.state = final_state(flow);
    flow.status.ended = now.wall;
    if (flow.key != kNone) keys.ended(flow.key, now.mono);
  }
}

// What a failure means to those that do not wait for it. Said in the step of the failure itself, in
// its commit: the capacity it gives back must not start what it stops.
void Core::State::stop_after(std::uint32_t slot, std::uint32_t number) {
  LiveFlow& flow = flows[slot];
  if (flow.cancelling) return;
  const Plan::Cell cell = flow.plan.cell(number);
  const Plan::Step& step = flow.plan.steps[cell.step];
  if (step.on_failure == OnFailure::StopAll) {
    flow.stopped_all = true;
    stop_cells(slot, kNone);
  } else if (step.on_failure == OnFailure::Stop && step.each == Each::Repo) {
    flow.stopped[cell.repo] = true;
    stop_cells(slot, cell.repo);
  }
}

// No cell that wants success starts there any more; what has started finishes, retries included.
void Core::State::stop_cells(std::uint32_t slot, std::uint32_t repo) {
  const LiveFlow& flow = flows[slot];
  for (std::uint32_t step = 0; step < flow.plan.steps.size(); ++step) {
    const Plan::Step& stopped = flow.plan.steps[step];
    if (stopped.when != When::Succeeded || (repo != kNone && stopped.each == Each::Once)) continue;
    const std::uint32_t first = repo == kNone ? 0 : repo;
    const std::uint32_t end = repo == kNone ? flow.plan.width(step) : repo + 1;
    for (std::uint32_t at = first; at < end; ++at) {
      const std::uint32_t task = flow.tasks[flow.plan.number(step, at)];
      if (task == kNone || tasks[task].attempt > 0 || tasks[task].place == Place::Ended) continue;
      skip_cell(task, CellEnd::Skipped);
    }
  }
}

CellEnd Core::State::verdict(const LiveFlow& flow, Plan::Cell cell) const {
  const Plan::Step& step = flow.plan.steps[cell.step];
  if (step.when == When::Always) return CellEnd::Open;
  bool bad = false;
  bool idle = false;
  for (const std::uint32_t needed : step.needs) {
    flow.plan.joined(cell, needed, [&](std::uint32_t other) {
      bad |= is_bad(flow.ends[other]);
      idle |= flow.ends[other] == CellEnd::Idle;
    });
  }
  if (step.when == When::Failed) return bad ? CellEnd::Open : CellEnd::Idle;
  const bool stopped = flow.stopped_all || (step.each == Each::Repo && flow.stopped[cell.repo]);
  if (bad || stopped) return CellEnd::Skipped;
  return idle ? CellEnd::Idle : CellEnd::Open;
}

// All it waited for has settled: it runs, or it does not.
void Core::State::decide_cell(std::uint32_t slot, std::uint32_t number) {
  const LiveFlow& flow = flows[slot];
  const std::uint32_t task = flow.tasks[number];
  if (task == kNone || tasks[task].place != Place::Held) return;
  if (tasks[task].waits > 0) return advance(task);
  const CellEnd end = verdict(flow, flow.plan.cell(number));
  if (end == CellEnd::Open) {
    advance(task);
  } else {
    skip_cell(task, end);
  }
}

void Core::State::skip_cell(std::uint32_t task, CellEnd end) {
  tasks[task].idle_skip = end == CellEnd::Idle;
  finish(task, TaskState::Cancelled, Reason::DependencyFailed, nullptr);
}

// ── The end of the workflow ──────────────────────────────────────────────────────────────────────

// A repository got through when nothing in it went wrong and something in it completed. Without a
// step per repository there is none to get through.
WorkflowState Core::State::final_state(const LiveFlow& flow) const {
  const auto has = [&](CellEnd end) {
    return std::find(flow.ends.begin(), flow.ends.end(), end) != flow.ends.end();
  };
  if (flow.cancelling && has(CellEnd::Cancelled)) return WorkflowState::Cancelled;
  if (std::all_of(flow.ends.begin(), flow.ends.end(),
                  [](CellEnd end) { return end == CellEnd::Completed || end == CellEnd::Idle; })) {
    return WorkflowState::Completed;
  }
  std::vector<bool> wrong(flow.plan.repos, false);
  std::vector<bool> done(flow.plan.repos, false);
  for (const Plan::Step& step : flow.plan.steps) {
    if (step.each == Each::Once) continue;
    for (std::uint32_t repo = 0; repo < flow.plan.repos; ++repo) {
      const CellEnd end = flow.ends[step.first_cell + repo];
      if (is_bad(end)) wrong[repo] = true;
      if (end == CellEnd::Completed) done[repo] = true;
    }
  }
  for (std::uint32_t repo = 0; repo < flow.plan.repos; ++repo) {
    if (done[repo] && !wrong[repo]) return WorkflowState::Partial;
  }
  return WorkflowState::Failed;
}

void Core::State::touch(std::uint32_t slot) {
  if (flows[slot].touched) return;
  flows[slot].touched = true;
  touched_flows.push_back(slot);
}

// One record a workflow and step, whatever happened to its cells.
void Core::State::record_flows() {
  for (const std::uint32_t slot : touched_flows) {
    LiveFlow& flow = flows[slot];
    if (!flow.touched) continue;  // it was undone
    flow.touched = false;
    ++flow.status.version;
    record(WorkflowChanged{flow.id, flow.status});
    if (flow.over) after_commit({0, Pending::Kind::FlowEnd, slot, flow.id.value, {}, 0});
  }
  touched_flows.clear();
}

}  // namespace mahavishnu::domain
