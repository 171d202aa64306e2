// Pools: how they come, change and go, and which of them may place a task now.
#include <algorithm>

#include "domain/core_state.h"
#include "domain/pool_settings.h"

namespace mahavishnu::domain {
namespace {

tl::unexpected<Error> refuse(std::string message) {
  return fail(ErrorCode::InvalidArgument, std::move(message));
}

bool is_pool_name(const std::string& name) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 64 && plain(name.front()) &&
         std::all_of(name.begin(), name.end(),
                     [&](char c) { return plain(c) || c == '_' || c == '.' || c == '-'; });
}

Status check_spec(const PoolSpec& spec) {
  if (!is_pool_name(spec.name)) {
    return refuse("\"" + spec.name +
                  "\" is no pool name; use 1 to 64 of a-z 0-9 _ . - and begin with a letter or a "
                  "digit");
  }
  if (spec.max_workers < 1 || spec.max_workers > 10000) {
    return refuse("max_workers is " + std::to_string(spec.max_workers) + "; it is 1 to 10000");
  }
  if (spec.min_workers < 0 || spec.min_workers > spec.max_workers) {
    return refuse("min_workers is " + std::to_string(spec.min_workers) +
                  "; it is 0 to max_workers (" + std::to_string(spec.max_workers) + ")");
  }
  if (spec.max_queue < 1) {
    return refuse("max_queue is " + std::to_string(spec.max_queue) + "; it is at least 1");
  }
  if (spec.worker_type.empty()) return refuse("worker_type is empty; \"shell\" is one");
  return check_settings(spec);
}

bool same(const Limits& a, const Limits& b) {
  return a.memory_bytes == b.memory_bytes && a.cpu_ms == b.cpu_ms &&
         a.output_bytes == b.output_bytes && a.processes == b.processes;
}
bool same(const Timeouts& a, const Timeouts& b) {
  return a.queue == b.queue && a.start == b.start && a.idle == b.idle && a.run == b.run &&
         a.total == b.total;
}
bool same(const RetryPolicy& a, const RetryPolicy& b) {
  return a.max_attempts == b.max_attempts && a.backoff == b.backoff && a.factor == b.factor &&
         a.jitter == b.jitter && a.max_backoff == b.max_backoff;
}

// The first setting in which the two differ; nullptr: none.
const char* difference(const PoolSpec& a, const PoolSpec& b) {
  if (a.type != b.type) return "type";
  if (a.worker_type != b.worker_type) return "worker_type";
  if (a.settings != b.settings) return "settings";
  if (a.min_workers != b.min_workers) return "min_workers";
  if (a.max_workers != b.max_workers) return "max_workers";
  if (a.max_queue != b.max_queue) return "max_queue";
  if (!same(a.limits, b.limits)) return "limits";
  if (!same(a.timeouts, b.timeouts)) return "timeouts";
  if (!same(a.retry, b.retry)) return "retry";
  if (a.env != b.env) return "env";
  if (a.labels != b.labels) return "labels";
  return nullptr;
}

}  // namespace

std::uint32_t Core::State::find_pool(PoolId id) const {
  return pool_index.find(hash_id(id.value), [&](std::uint32_t s) { return pools[s].id == id; });
}

std::uint32_t Core::State::add_pool(PoolId id, const PoolSpec& spec) {
  const std::uint32_t slot = pools.add();
  LivePool& pool = pools[slot];
  pool.id = id;
  pool.spec = spec;
  pool.created = now.wall;
  pool.target = spec.max_workers;
  pool_index.insert(hash_id(id.value), slot);
  pool_names.emplace(spec.name, slot);
  selector.add(slot, spec.name, spec.worker_type);
  queues.add_pool(slot);
  return slot;
}

void Core::State::drop_pool(std::uint32_t slot) {
  LivePool& pool = pools[slot];
  if (pool.in_ring) leave_ring(slot);
  selector.remove(slot);
  queues.remove_pool(slot);
  pool_index.erase(hash_id(pool.id.value), slot);
  pool_names.erase(pool.spec.name);
  pools.remove(slot);
}

bool Core::State::can_place(const LivePool& pool, std::uint32_t slot) const {
  return pool.durable && !pool.paused && static_cast<int>(pool.running) < pool.target &&
         queues.queue(slot).ready != 0;
}

void Core::State::pool_changed(std::uint32_t slot) {
  LivePool& pool = pools[slot];
  const bool open = pool.durable && !pool.paused && !pool.draining &&
                    pool.queued < static_cast<std::uint32_t>(pool.spec.max_queue);
  selector.update(slot, open, pool.queued + pool.running, static_cast<std::uint32_t>(pool.target));
  const bool placing = can_place(pool, slot);
  if (placing != pool.in_ring) placing ? enter_ring(slot) : leave_ring(slot);
}

// A newcomer is last in this round.
void Core::State::enter_ring(std::uint32_t slot) {
  LivePool& pool = pools[slot];
  pool.in_ring = true;
  if (ring == kNone) {
    pool.before = pool.after = ring = slot;
    return;
  }
  pool.after = ring;
  pool.before = pools[ring].before;
  pools[pool.before].after = slot;
  pools[ring].before = slot;
}

void Core::State::leave_ring(std::uint32_t slot) {
  LivePool& pool = pools[slot];
  pool.in_ring = false;
  if (ring == slot) ring = pool.after == slot ? kNone : pool.after;
  pools[pool.before].after = pool.after;
  pools[pool.after].before = pool.before;
  pool.before = pool.after = kNone;
}

void Core::State::close_if_empty(std::uint32_t slot) {
  const LivePool& pool = pools[slot];
  if (!pool.draining || pool.queued + pool.running + pool.delayed > 0) return;
  record(PoolRemoved{pool.id});
  drop_pool(slot);
}

PoolState Core::State::state_of(const LivePool& pool) const {
  if (pool.draining) return PoolState::Draining;
  if (pool.paused) return PoolState::Paused;
  return static_cast<int>(pool.running) > pool.target ? PoolState::Scaling : PoolState::Running;
}

PoolRecord Core::State::record_of(const LivePool& pool) const {
  return {pool.id, pool.spec, state_of(pool), pool.target, pool.paused, pool.created};
}

PoolStatus Core::State::status_of(std::uint32_t slot) const {
  const LivePool& pool = pools[slot];
  PoolStatus status;
  status.record = record_of(pool);
  status.busy = static_cast<int>(pool.running);
  status.total = std::max(pool.target, status.busy);
  status.idle = status.total - status.busy;
  status.queued = static_cast<int>(pool.queued);
  status.running = static_cast<int>(pool.running);
  status.delayed = static_cast<int>(pool.delayed);
  status.completed = pool.completed;
  status.failed = pool.failed;
  status.retries = pool.retries;
  MonoTime oldest = MonoTime::max();
  for (const PoolQueue::Level& level : queues.queue(slot).levels) {
    if (level.oldest != kNone) oldest = std::min(oldest, tasks[level.oldest].since);
  }
  if (oldest != MonoTime::max()) {
    status.oldest_queued = now.wall - std::chrono::duration_cast<Millis>(now.mono - oldest);
  }
  return status;
}

void Core::State::on(const SpawnPool& event) {
  if (draining) {
    return reply(event.ticket, Error{ErrorCode::Unavailable, "the server is shutting down", 0}, 0);
  }
  if (Status valid = check_spec(event.spec); !valid) return reply(event.ticket, valid.error(), 0);
  const auto at = pool_names.find(event.spec.name);
  if (at != pool_names.end()) {
    const LivePool& pool = pools[at->second];
    if (const char* field = difference(pool.spec, event.spec); field != nullptr) {
      return reply(event.ticket,
                   Error{ErrorCode::Conflict,
                         "pool \"" + event.spec.name + "\" exists with another " + field +
                             "; close it first or use another name",
                         0},
                   0);
    }
    if (pool.draining) {
      return reply(
          event.ticket,
          Error{ErrorCode::Conflict,
                "pool \"" + event.spec.name + "\" is draining; spawn it when it is gone", 0},
          0);
    }
    CommitNo after = 0;
    for (const Pending& waiting : pending) {
      if (waiting.kind == Pending::Kind::Pool && waiting.id == pool.id.value)
        after = waiting.commit;
    }
    if (after != 0) after_commit({after, Pending::Kind::Ticket, kNone, {}, {}, event.ticket});
    return reply(event.ticket, PoolAnswer{pool.id, true}, after);
  }
  if (pools.size() >= static_cast<std::size_t>(std::max(options.max_pools, 0))) {
    return reply(event.ticket,
                 Error{ErrorCode::Exhausted,
                       "there are " + std::to_string(pools.size()) +
                           " pools, the most allowed; close one or raise max_pools",
                       0},
                 0);
  }
  admitting = true;
  const std::uint32_t slot = add_pool(event.id, event.spec);
  record(PoolPut{record_of(pools[slot])});
  after_commit({0, Pending::Kind::Pool, slot, event.id.value, {}, 0});
  after_commit({0, Pending::Kind::Ticket, kNone, {}, {}, event.ticket});
  reply(event.ticket, PoolAnswer{event.id, false}, commit());
}

void Core::State::on(const ScalePool& event) {
  const std::uint32_t slot = find_pool(event.pool);
  if (slot == kNone || !pools[slot].durable) {
    return reply(event.ticket, Error{ErrorCode::NotFound, "no pool " + event.pool.str(), 0}, 0);
  }
  LivePool& pool = pools[slot];
  if (pool.draining && (event.paused.value_or(false) || event.target_workers.value_or(1) == 0)) {
    return reply(event.ticket,
                 Error{ErrorCode::Conflict,
                       "pool \"" + pool.spec.name +
                           "\" is draining and needs a worker for what is queued; close it with "
                           "mode now to cancel that",
                       0},
                 0);
  }
  if (event.target_workers &&
      (*event.target_workers < 0 || *event.target_workers > pool.spec.max_workers)) {
    return reply(event.ticket,
                 Error{ErrorCode::InvalidArgument,
                       "target_workers is " + std::to_string(*event.target_workers) + "; pool \"" +
                           pool.spec.name + "\" takes 0 to max_workers (" +
                           std::to_string(pool.spec.max_workers) + ")",
                       0},
                 0);
  }
  pool.target = event.target_workers.value_or(pool.target);
  pool.paused = event.paused.value_or(pool.paused);
  pool_changed(slot);
  record(PoolPut{record_of(pool)});
  reply(event.ticket, PoolAnswer{pool.id, true}, commit());
}

void Core::State::on(const ClosePool& event) {
  const std::uint32_t slot = find_pool(event.pool);
  if (slot == kNone || !pools[slot].durable) {
    return reply(event.ticket, Error{ErrorCode::NotFound, "no pool " + event.pool.str(), 0}, 0);
  }
  pools[slot].draining = true;
  pools[slot].paused = false;  // what is queued still runs
  pools[slot].target = std::max(pools[slot].target, 1);
  pool_changed(slot);
  record(PoolPut{record_of(pools[slot])});
  for (std::uint32_t task = 0; event.now && task < tasks.end(); ++task) {
    if (pools[slot].id == event.pool && tasks[task].pool == slot) cancel(task);
  }
  if (pools[slot].id == event.pool) close_if_empty(slot);
  reply(event.ticket, PoolAnswer{event.pool, true}, commit());
}

}  // namespace mahavishnu::domain
