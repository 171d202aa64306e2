// What clients call with: everything random about a call, by the dice.
#include <utility>

#include "simulation/clients.h"

namespace mahavishnu::simulation {

using control::Wait;
using std::chrono::seconds;

namespace {
constexpr Millis kLong = std::chrono::hours(100000);
}

TaskId Clients::some_task() {
  const auto& known = witness_.tasks();
  if (known.empty()) return {};
  const std::size_t last = std::min<std::size_t>(known.size(), dice_.one_in(4) ? 1000 : 9);
  return known[known.size() - 1 - dice_.below(last)];
}

Wait Clients::random_wait() {
  Wait wait;
  if (dice_.one_in(2)) wait.limit = dice_.one_in(3) ? Millis(dice_.below(5000)) : kLong;
  wait.until_change = dice_.one_in(2);
  return wait;
}

control::Service::SubmitArgs Clients::random_task() {
  Service::SubmitArgs args;
  TaskSpec& spec = args.spec;
  spec.work.command = "work " + std::to_string(++commands_);
  spec.worker_type = dice_.one_in(3) ? "other" : "shell";
  if (dice_.one_in(3)) {
    const auto pools = service_.pools();
    if (!pools.empty()) args.pool = dice_.any(pools).record.spec.name;
  }
  spec.selector = static_cast<Selector>(dice_.below(4));
  if (dice_.one_in(2)) {
    static const std::vector<std::string> kRepos{"api", "web", "ops"};
    spec.repo = dice_.any(kRepos);
  }
  spec.max_per_repo = dice_.one_in(2) ? 2 : 1;
  spec.priority = static_cast<std::uint8_t>(dice_.below(5));
  spec.caller = "c" + std::to_string(dice_.below(3));
  spec.retry = {1 + static_cast<int>(dice_.below(3)), Millis(500), 2.0, 1.0, Millis(5000)};
  if (dice_.one_in(8)) spec.timeouts.queue = seconds(1 + dice_.below(20));
  if (dice_.one_in(8)) spec.timeouts.total = seconds(1 + dice_.below(40));
  if (dice_.one_in(8))
    spec.not_before = WallTime{Millis{1'700'000'000'000}} + seconds(dice_.below(60));
  if (dice_.one_in(4)) spec.idempotency_key = "key" + std::to_string(dice_.below(12));
  for (std::uint64_t n = dice_.below(6); n < 2; ++n) {
    if (const TaskId needed = some_task()) spec.depends_on.push_back(needed);
  }
  if (dice_.one_in(5)) spec.labels["team"] = std::to_string(dice_.below(2));
  return args;
}

control::Service::WorkflowArgs Clients::random_workflow() {
  Service::WorkflowArgs args;
  WorkflowSpec& spec = args.spec;
  spec.name = "flow " + std::to_string(++commands_);
  spec.caller = "c" + std::to_string(dice_.below(3));
  spec.max_parallel = static_cast<int>(dice_.below(4));
  spec.max_per_repo = 1 + static_cast<int>(dice_.below(2));
  if (dice_.one_in(4)) spec.idempotency_key = "flow" + std::to_string(dice_.below(6));
  args.over.all = true;
  for (std::uint64_t i = 0, n = 1 + dice_.below(3); i < n; ++i) {
    StepSpec step;
    step.id = "s" + std::to_string(i);
    step.work.command = "step of " + std::to_string(commands_);
    step.when = dice_.one_in(2) ? When::Succeeded : static_cast<When>(dice_.below(3));
    step.each = dice_.one_in(4) ? Each::Once : Each::Repo;
    step.on_failure = static_cast<OnFailure>(dice_.below(3));
    step.retry = {1 + static_cast<int>(dice_.below(2)), Millis(500), 2.0, 1.0, Millis(5000)};
    for (std::uint64_t needed = 0; needed < i; ++needed) {
      if (dice_.one_in(2)) step.depends_on.push_back("s" + std::to_string(needed));
    }
    spec.steps.push_back(std::move(step));
  }
  return args;
}

void Clients::call_submit() {
  if (!dice_.one_in(3)) {
    auto args = random_task();
    std::string what = "submit " + args.spec.work.command;
    return call(std::move(what), submit(std::move(args)));
  }
  std::vector<Result<Service::SubmitArgs>> items;
  for (std::uint64_t n = 1 + dice_.below(4); n > 0; --n) items.emplace_back(random_task());
  call("submit a batch", submit_batch(std::move(items)));
}

void Clients::call_workflow() {
  const auto& known = witness_.workflows();
  if (known.empty() || dice_.one_in(2)) {
    return call("run a workflow", run_workflow(random_workflow()));
  }
  const WorkflowId id = dice_.any(known);
  if (dice_.one_in(4)) {
    const Millis wait = dice_.one_in(2) ? kLong : Millis(0);
    std::vector<TaskId> cells;
    for (const auto& [task, record] : disk_.tasks()) {
      if (record.workflow == id) cells.push_back(task);
    }
    return call("cancel " + brief(id), cancel_workflow(id, wait), until_ended(std::move(cells)));
  }
  const Wait wait = random_wait();
  const auto version = [this, id] { return disk_.workflow(id)->status.version; };
  const auto open = [this, id] { return !is_terminal(disk_.workflow(id)->status.state); };
  call("read " + brief(id), read_workflow(id, wait),
       wait.until_change ? while_unchanged(version) : MayWait(open));
}

void Clients::call_read() {
  const TaskId id = some_task();
  if (!id) return;
  const Wait wait = random_wait();
  switch (dice_.below(8)) {
    case 0:
      return call("list", list());
    case 1:
      return call("explain " + brief(id), explain(id));
    case 2: {
      control::OutputQuery query;
      query.wait = wait.limit;
      return call("output of " + brief(id), read_output(id, query), until_ended({id}));
    }
    case 3:
      if (!batches_.empty()) {
        const auto& [batch, tasks] = dice_.any(batches_);
        Wait whole = wait;
        whole.until_change = false;
        return call("wait for a batch", wait_batch(batch, whole), until_ended(tasks));
      }
      [[fallthrough]];
    default: {
      const auto version = [this, id] { return disk_.task(id)->status.version; };
      call("read " + brief(id), read_task(id, wait),
           wait.until_change ? while_unchanged(version) : until_ended({id}));
    }
  }
}

void Clients::call_cancel() {
  const Millis wait = dice_.one_in(2) ? kLong : Millis(0);
  Service::CancelArgs args;
  if (dice_.one_in(5)) {
    args.filter.emplace();
    args.filter->caller = "c" + std::to_string(dice_.below(3));
    if (dice_.one_in(2)) args.filter->repo = "api";
    std::vector<TaskId> all = disk_.order();
    return call("cancel all of a caller", cancel(std::move(args), wait),
                until_ended(std::move(all)));
  }
  const TaskId id = some_task();
  if (!id) return;
  args.tasks = {id};
  call("cancel " + brief(id), cancel(std::move(args), wait), until_ended({id}));
}

void Clients::call_pool() {
  const auto pools = service_.pools();
  if (pools.empty() || dice_.one_in(3)) {
    PoolSpec spec;
    spec.name = "p" + std::to_string(dice_.below(4));
    spec.worker_type = dice_.one_in(2) ? "other" : "shell";
    spec.max_workers = 1 + static_cast<int>(dice_.below(3));
    spec.max_queue = dice_.one_in(3) ? 3 : 1000;
    std::string what = "spawn " + spec.name;
    return call(std::move(what), spawn_pool(std::move(spec)));
  }
  const PoolStatus& pool = dice_.any(pools);
  const std::string name = pool.record.spec.name;
  if (dice_.one_in(6)) {
    const PoolId id = pool.record.id;
    return call("close " + name,
                close_pool(name, dice_.one_in(2), dice_.one_in(2) ? kLong : Millis(0)),
                [this, id] { return disk_.has_pool(id); });
  }
  std::optional<int> target;
  std::optional<bool> paused;
  if (dice_.one_in(2)) target = static_cast<int>(dice_.below(4));
  if (dice_.one_in(2)) paused = dice_.one_in(3);
  call("scale " + name, scale_pool(name, target, paused));
}

void Clients::open_pools() {
  for (const PoolStatus& pool : service_.pools()) {
    const bool able = !pool.record.paused && pool.record.target_workers > 0;
    if (able || pool.record.state == PoolState::Draining) continue;
    const std::string name = pool.record.spec.name;
    call("open " + name, scale_pool(name, 1, false));
  }
}

void Clients::act() {
  switch (dice_.below(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return call_submit();
    case 4:
      return call_workflow();
    case 5:
      return call_pool();
    case 6:
    case 7:
      return call_cancel();
    default:
      return call_read();
  }
}

}  // namespace mahavishnu::simulation
