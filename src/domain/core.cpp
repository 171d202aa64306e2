#include "domain/core.h"

#include <algorithm>

#include "domain/core_state.h"
#include "domain/repositories.h"

namespace mahavishnu::domain {

Core::State::State(CoreOptions given)
    : options(given),
      ledger(given.max_running),
      queues(tasks, ledger, given.aging),
      dependencies(tasks),
      timers(tasks),
      keys(given.key_memory) {}

Core::Core(CoreOptions options) : state_(std::make_unique<State>(options)) {}
Core::~Core() = default;

Effects Core::step(const Event& event, Moment now) {
  state_->now = now;
  state_->chance = Chance(now.entropy);
  std::visit([&](const auto& known) { state_->on(known); }, event);
  return state_->finish_step();
}

// Places what can be placed, writes what changed beside the tasks, and says when to come back. An
// early wake-up is cheap, so only an earlier time is announced.
Effects Core::State::finish_step() {
  if (!admitting) {
    dispatch();
    for (const std::uint32_t task : requeued) {
      if (tasks[task].place == Place::Queue) record_change(task, nullptr);
    }
    record_flows();
  }
  requeued.clear();
  admitting = false;
  commits_in_step = 0;
  if (timers.earliest() < announced) {
    announced = timers.earliest();
    effects.emplace_back(WakeAt{announced});
  }
  Effects out = std::move(effects);
  effects = {};
  return out;
}

void Core::State::on(const TimerDue&) {
  announced = MonoTime::max();
  keys.expire(now.mono);
  for (std::uint32_t task = timers.take_due(now.mono); task != kNone;
       task = timers.take_due(now.mono)) {
    fire(task);
  }
}

void Core::State::on(const Hold& event) { held = event.on; }

void Core::State::on(const Drain&) { draining = true; }

Result<std::size_t> Core::cells_of(const WorkflowSpec& spec) {
  auto plan = Plan::make(spec);
  if (!plan) return fail(plan.error());
  return std::size_t{plan->cells};
}

Result<PoolId> Core::find_pool(std::string_view name_or_id) const {
  const auto at = state_->pool_names.find(name_or_id);
  if (at != state_->pool_names.end() && state_->pools[at->second].durable) {
    return state_->pools[at->second].id;
  }
  if (const auto id = PoolId::parse(name_or_id)) {
    const std::uint32_t slot = state_->find_pool(*id);
    if (slot != kNone && state_->pools[slot].durable) return *id;
  }
  std::vector<std::string> known;
  for (const auto& [name, slot] : state_->pool_names) known.push_back(name);
  const std::string near = nearest(name_or_id, known);
  std::string message = "no pool \"" + std::string(name_or_id) + "\"";
  message += near.empty() ? "; pool_list shows what there is" : "; did you mean \"" + near + "\"?";
  return fail(ErrorCode::NotFound, std::move(message));
}

std::optional<PoolStatus> Core::pool(PoolId id) const {
  const std::uint32_t slot = state_->find_pool(id);
  if (slot == kNone || !state_->pools[slot].durable) return std::nullopt;
  return state_->status_of(slot);
}

const PoolSpec* Core::spec_of(PoolId id) const {
  const std::uint32_t slot = state_->find_pool(id);
  return slot == kNone || !state_->pools[slot].durable ? nullptr : &state_->pools[slot].spec;
}

std::vector<PoolStatus> Core::pools() const {
  std::vector<PoolStatus> all;
  all.reserve(state_->pool_names.size());
  for (const auto& [name, slot] : state_->pool_names) {
    if (state_->pools[slot].durable) all.push_back(state_->status_of(slot));
  }
  return all;
}

std::vector<std::string> Core::names_of(std::string_view worker_type) const {
  std::vector<std::string> names;
  for (const auto& [name, slot] : state_->pool_names) {
    const LivePool& pool = state_->pools[slot];
    if (pool.durable && pool.spec.worker_type == worker_type) names.push_back(name);
  }
  return names;
}

bool Core::is_live(TaskId id) const { return state_->find_task(id) != kNone; }

CoreCounts Core::counts() const {
  CoreCounts counts = state_->totals;
  counts.live = state_->tasks.size();
  counts.pools = state_->pools.size();
  counts.workflows = state_->flows.size();
  return counts;
}

}  // namespace mahavishnu::domain
