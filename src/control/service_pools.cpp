// Pools: made, looked at, scaled and closed.
#include <algorithm>
#include <utility>

#include "control/service.h"
#include "control/service_state.h"

namespace mahavishnu::control {

using domain::Error;
using domain::ErrorCode;
using domain::fail;

namespace {

constexpr base::Millis kWorkersUp{1000};

}  // namespace

awaitable<Result<domain::PoolAnswer>> Service::spawn_pool(domain::PoolSpec spec) {
  State& state = *state_;
  if (!state.executors_by_type.contains(spec.worker_type)) {
    co_return fail(ErrorCode::InvalidArgument, "no worker type \"" + spec.worker_type + "\"");
  }
  const auto begun = state.shell.now().mono;
  domain::Executor& executor = *state.executors_by_type.at(spec.worker_type);
  const bool keeps_workers = spec.min_workers > 0;
  domain::SpawnPool event;
  event.id = domain::PoolId{state.new_id()};
  event.spec = std::move(spec);
  auto answer = co_await state.ask<domain::PoolAnswer>(std::move(event));
  if (answer && !answer->existing) {
    if (keeps_workers) co_await state.workers_up(executor);
    const auto now = state.shell.now().mono;
    state.shell.clocks().add("pool.spawn", now, now - begun);
  }
  co_return answer;
}

// The shell has asked for them with the commit. A pool is there without them, too.
awaitable<void> Service::State::workers_up(domain::Executor& executor) {
  auto shot = std::make_shared<OneShot<Status>>(shell.executor());
  const auto alarm = shell.alarms().at(deadline(kWorkersUp), [shot] { shot->set({}); });
  executor.when_ready([shot] { shot->set({}); });
  [[maybe_unused]] const auto up = co_await OneShot<Status>::wait(shot);
  shell.alarms().cancel(alarm);
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

// ── What executors are asked ─────────────────────────────────────────────────────────────────────

namespace {

// One gathering of memory from several executors: over when all have answered, or it is late.
struct Gathering {
  std::map<domain::Executor*, std::vector<domain::PoolId>> open;  // the pools of its fences
  Service::PoolMemory memory;
  std::function<void(Result<Service::PoolMemory>)> done;

  void add(domain::Executor* executor, const Result<std::vector<std::int64_t>>& bytes) {
    const auto asked = open.extract(executor);
    if (!asked) return;
    const auto& pools = asked.mapped();
    for (std::size_t i = 0; i < pools.size(); ++i) {
      auto& sum = memory.try_emplace(pools[i], 0).first->second;
      if (!bytes) {
        sum.reset();
      } else if (sum) {
        *sum += bytes->at(i);
      }
    }
    if (open.empty()) std::exchange(done, nullptr)(std::move(memory));
  }
};

}  // namespace

void Service::State::gather_memory(base::Millis at_most,
                                   std::function<void(Result<Service::PoolMemory>)> done) {
  auto gathering = std::make_shared<Gathering>();
  std::map<domain::Executor*, std::vector<domain::Fence>> fences;
  for (const auto& [fence, live] : shell.live()) {
    if (!live.started || live.ended || live.executor == nullptr) continue;
    fences[live.executor].push_back(fence);
    gathering->open[live.executor].push_back(live.pool);
  }
  if (fences.empty()) return done(Service::PoolMemory{});
  const auto alarm = std::make_shared<Alarms::Handle>();
  gathering->done = [this, alarm, done = std::move(done)](Result<Service::PoolMemory> memory) {
    shell.alarms().cancel(*alarm);
    done(std::move(memory));
  };
  *alarm = shell.alarms().at(deadline(at_most), [gathering] {
    const Error late{ErrorCode::Deadline, "the executor does not answer", 0};
    while (!gathering->open.empty()) gathering->add(gathering->open.begin()->first, fail(late));
  });
  // All are asked before one is waited for: one that hangs costs the others nothing.
  for (auto& [executor, asked] : fences) {
    executor->resident(std::move(asked), [gathering, executor = executor](auto bytes) {
      gathering->add(executor, bytes);
    });
  }
}

std::set<domain::PoolId> Service::State::running_pools() const {
  std::set<domain::PoolId> pools;
  for (const auto& [fence, live] : shell.live()) {
    if (live.started && !live.ended && live.executor != nullptr) pools.insert(live.pool);
  }
  return pools;
}

// What is kept may be some seconds old; which pools have something running is as it is now.
awaitable<Service::PoolMemory> Service::pool_memory(base::Millis at_most) {
  State& state = *state_;
  const auto running = state.running_pools();
  const PoolMemory* kept = state.pool_memory.peek(0);
  if (kept != nullptr && !std::all_of(running.begin(), running.end(), [kept](domain::PoolId pool) {
        return kept->contains(pool);
      })) {
    state.pool_memory.invalidate(0);
  }
  auto ask = [&state, at_most](auto answer) {
    state.pool_memory.get(
        0, [&state, at_most](auto done) { state.gather_memory(at_most, std::move(done)); },
        [answer = std::move(answer)](const Result<PoolMemory>& memory) { answer(memory); });
  };
  auto memory = co_await answer_of<PoolMemory>(state.executor, std::move(ask));
  if (!memory) co_return PoolMemory{};
  std::erase_if(*memory, [&running](const auto& one) { return !running.contains(one.first); });
  co_return std::move(*memory);
}

namespace {

// Told once, by the executor or by the clock.
struct Probe {
  std::function<void(Result<std::string>)> done;

  void tell(std::string problem) {
    if (done) std::exchange(done, nullptr)(std::move(problem));
  }
};

}  // namespace

// Whoever can tell what nothing holds is there and answers.
void Service::State::probe(const std::string& worker_type, base::Millis at_most,
                           std::function<void(Result<std::string>)> done) {
  const auto probe = std::make_shared<Probe>();
  const auto alarm = shell.alarms().at(deadline(at_most), [probe, worker_type, at_most] {
    probe->tell("the executor of worker type \"" + worker_type + "\" did not answer within " +
                std::to_string(at_most.count()) + " ms");
  });
  probe->done = [this, alarm, done = std::move(done)](Result<std::string> problem) {
    shell.alarms().cancel(alarm);
    done(std::move(problem));
  };
  executors_by_type.at(worker_type)->resident({}, [probe](auto told) {
    const bool well = told || told.error().code == ErrorCode::Unavailable;  // it cannot tell here
    probe->tell(well ? std::string() : told.error().message);
  });
}

awaitable<std::map<std::string, std::string>> Service::executor_problems(base::Millis at_most) {
  State& state = *state_;
  using Shot = OneShot<Result<std::string>>;
  std::map<std::string, std::shared_ptr<Shot>> asked;
  for (const auto& [type, executor] : state.executors_by_type) {
    auto shot = std::make_shared<Shot>(state.executor);
    asked[type] = shot;
    state.executor_health.get(
        type,
        [&state, type = type, at_most](auto done) { state.probe(type, at_most, std::move(done)); },
        [shot](const Result<std::string>& told) { shot->set(told); });
  }
  std::map<std::string, std::string> problems;
  for (const auto& [type, shot] : asked) {
    const auto told = co_await Shot::wait(shot);
    if (told && !told->empty()) problems[type] = *told;
  }
  co_return problems;
}

void Service::State::examine(const domain::PoolSpec& pool, base::Millis at_most,
                             std::function<void(Result<std::string>)> done) {
  domain::StringMap env;
  for (const std::string& name : options.env_allow) {
    const auto found = options.server_env.find(name);
    if (found != options.server_env.end()) env[name] = found->second;
  }
  for (const auto& [name, value] : pool.env) env[name] = value;
  const auto probe = std::make_shared<Probe>();
  // A file system that hangs says nothing of the pool; its tasks will tell.
  const auto alarm = shell.alarms().at(deadline(at_most), [probe] { probe->tell(""); });
  probe->done = [this, alarm, done = std::move(done)](Result<std::string> problem) {
    shell.alarms().cancel(alarm);
    done(std::move(problem));
  };
  const auto port = executors_by_type.find(pool.worker_type);
  if (port == executors_by_type.end()) {
    return probe->tell("no executor serves worker type \"" + pool.worker_type + "\"");
  }
  port->second->examine(pool, std::move(env), [probe](const Result<std::string>& missing) {
    probe->tell(missing ? *missing : std::string());
  });
}

awaitable<std::map<domain::PoolId, std::string>> Service::pool_problems(
    std::vector<domain::PoolId> pools, base::Millis at_most) {
  State& state = *state_;
  using Shot = OneShot<Result<std::string>>;
  std::map<domain::PoolId, std::shared_ptr<Shot>> asked;
  for (const domain::PoolId id : pools) {
    const auto pool = state.shell.core().pool(id);
    if (!pool || pool->record.spec.settings.empty()) continue;
    auto shot = std::make_shared<Shot>(state.executor);
    asked[id] = shot;
    state.pool_health.get(
        id,
        [&state, spec = pool->record.spec, at_most](auto done) {
          state.examine(spec, at_most, std::move(done));
        },
        [shot](const Result<std::string>& told) { shot->set(told); });
  }
  std::map<domain::PoolId, std::string> problems;
  for (const auto& [id, shot] : asked) {
    const auto told = co_await Shot::wait(shot);
    if (told && !told->empty()) problems[id] = *told;
  }
  co_return problems;
}

void Service::list_caches(base::Caches& caches) {
  caches.add("records", state_->shell.records().cache().kept());
  caches.add("pool_memory", state_->pool_memory);
  caches.add("executor_health", state_->executor_health);
  caches.add("pool_health", state_->pool_health);
}

Result<domain::Explanation> Service::explain_pool(std::string_view name_or_id) const {
  auto id = state_->shell.core().find_pool(name_or_id);
  if (!id) return fail(id.error());
  auto explanation = state_->shell.core().explain(*id, state_->shell.now());
  if (!explanation) return fail(ErrorCode::NotFound, "no pool \"" + std::string(name_or_id) + "\"");
  return *explanation;
}

}  // namespace mahavishnu::control
