// Pools: made, looked at, scaled and closed.
#include <utility>

#include "control/service.h"
#include "control/service_state.h"

namespace mahavishnu::control {

using domain::ErrorCode;
using domain::fail;

awaitable<Result<domain::PoolAnswer>> Service::spawn_pool(domain::PoolSpec spec) {
  State& state = *state_;
  if (!state.executors_by_type.contains(spec.worker_type)) {
    co_return fail(ErrorCode::InvalidArgument, "no worker type \"" + spec.worker_type + "\"");
  }
  const auto begun = state.shell.now().mono;
  domain::SpawnPool event;
  event.id = domain::PoolId{state.new_id()};
  event.spec = std::move(spec);
  auto answer = co_await state.ask<domain::PoolAnswer>(std::move(event));
  if (answer && !answer->existing) {
    const auto now = state.shell.now().mono;
    state.shell.clocks().add("pool.spawn", now, now - begun);
  }
  co_return answer;
}

awaitable<Status> Service::scale_pool(std::string pool, std::optional<int> target,
                                      std::optional<bool> paused) {
  State& state = *state_;
  auto id = state.shell.core().find_pool(pool);
  if (!id) co_return fail(id.error());
  domain::ScalePool event;
  event.pool = *id;
  event.target_workers = target;
  event.paused = paused;
  auto answer = co_await state.ask<domain::PoolAnswer>(std::move(event));
  if (!answer) co_return fail(answer.error());
  co_return Status{};
}

awaitable<Result<Service::CloseOutcome>> Service::close_pool(std::string pool, bool now,
                                                             base::Millis wait) {
  State& state = *state_;
  const auto until = state.deadline(wait);
  auto id = state.shell.core().find_pool(pool);
  if (!id) co_return fail(id.error());
  if (auto room = state.shell.watchers().room(); !room) co_return fail(room.error());
  const auto before = state.shell.core().pool(*id);
  Watch watch(state.shell.watchers(), {{id->value, Topic::State}});
  domain::ClosePool event;
  event.pool = *id;
  event.now = now;
  auto answer = co_await state.ask<domain::PoolAnswer>(std::move(event));
  if (!answer) co_return fail(answer.error());
  while (state.shell.core().pool(*id)) {
    auto changed = co_await watch.changed(until);
    if (!changed) co_return fail(changed.error());
    if (!*changed) break;
  }
  CloseOutcome outcome;
  outcome.pool = *id;
  const int were = before ? before->queued + before->running + before->delayed : 0;
  if (const auto left = state.shell.core().pool(*id)) {
    outcome.still_draining = left->queued + left->running + left->delayed;
  }
  (now ? outcome.cancelled : outcome.finished) = std::max(0, were - outcome.still_draining);
  co_return outcome;
}

Result<domain::PoolStatus> Service::pool(std::string_view name_or_id) const {
  auto id = state_->shell.core().find_pool(name_or_id);
  if (!id) return fail(id.error());
  auto status = state_->shell.core().pool(*id);
  if (!status) return fail(ErrorCode::NotFound, "no pool \"" + std::string(name_or_id) + "\"");
  return *status;
}

std::vector<domain::PoolStatus> Service::pools() const { return state_->shell.core().pools(); }

std::vector<PoolReport> Service::monitor(const std::vector<domain::PoolId>& pools) const {
  std::vector<PoolReport> reports;
  const auto now = state_->shell.now().mono;
  for (const domain::PoolId id : pools) {
    auto status = state_->shell.core().pool(id);
    if (!status) continue;
    const Clocks::PoolTimes times = state_->shell.clocks().pool(id, now);
    PoolReport report;
    report.status = std::move(*status);
    report.queue_wait = times.queue_wait;
    report.run_time = times.run_time;
    report.per_minute_1 = times.per_minute_1;
    report.per_minute_5 = times.per_minute_5;
    report.per_minute_15 = times.per_minute_15;
    reports.push_back(std::move(report));
  }
  return reports;
}

awaitable<Service::PoolMemory> Service::pool_memory(base::Millis at_most) {
  State& state = *state_;
  struct Asked {
    std::vector<domain::Fence> fences;
    std::vector<domain::PoolId> pools;  // of the fences
  };
  using Answer = Result<std::vector<std::int64_t>>;
  std::map<domain::Executor*, Asked> by_executor;
  for (const auto& [fence, live] : state.shell.live()) {
    if (!live.started || live.ended || live.executor == nullptr) continue;
    Asked& asked = by_executor[live.executor];
    asked.fences.push_back(fence);
    asked.pools.push_back(live.pool);
  }
  // All are asked before one is waited for: one that hangs costs the others nothing.
  std::vector<std::pair<std::vector<domain::PoolId>, std::shared_ptr<OneShot<Answer>>>> waiting;
  for (auto& [executor, asked] : by_executor) {
    auto shot = std::make_shared<OneShot<Answer>>(state.executor);
    executor->resident(std::move(asked.fences),
                       [shot](Answer answer) { shot->set(std::move(answer)); });
    waiting.emplace_back(std::move(asked.pools), std::move(shot));
  }
  const auto until = state.deadline(at_most);
  PoolMemory memory;
  for (auto& [pools, shot] : waiting) {
    const auto alarm = state.shell.alarms().at(until, [late = shot] {
      late->set(fail(ErrorCode::Deadline, "the executor does not answer"));
    });
    const Answer bytes = co_await OneShot<Answer>::wait(shot);
    state.shell.alarms().cancel(alarm);
    for (std::size_t i = 0; i < pools.size(); ++i) {
      auto& sum = memory.try_emplace(pools[i], 0).first->second;
      if (!bytes) {
        sum.reset();
      } else if (sum) {
        *sum += bytes->at(i);
      }
    }
  }
  co_return memory;
}

Result<domain::Explanation> Service::explain_pool(std::string_view name_or_id) const {
  auto id = state_->shell.core().find_pool(name_or_id);
  if (!id) return fail(id.error());
  auto explanation = state_->shell.core().explain(*id, state_->shell.now());
  if (!explanation) return fail(ErrorCode::NotFound, "no pool \"" + std::string(name_or_id) + "\"");
  return *explanation;
}

}  // namespace mahavishnu::control
