// Admission: who may come in, to which pool, and what a repeated key means.
#include <algorithm>

#include "domain/core_state.h"

namespace mahavishnu::domain {
namespace {

constexpr long kRetryMs = 2000;  // when a full queue is worth another try

tl::unexpected<Error> shutting_down() {
  return fail(ErrorCode::Unavailable, "the server is shutting down; try again when it is back",
              kRetryMs);
}

Status check_spec(const NewTask& task) {
  if (task.id.is_null() || task.spec == nullptr) {
    return fail(ErrorCode::Internal, "a task came without an id or a specification");
  }
  if (task.spec->priority >= kPriorities) {
    return fail(ErrorCode::InvalidArgument, "priority " + std::to_string(task.spec->priority) +
                                                " is not one of 0 (background) to 4 (urgent)");
  }
  if (task.spec->retry.max_attempts < 1) {
    return fail(ErrorCode::InvalidArgument, "max_attempts must be at least 1");
  }
  if (task.spec->max_per_repo < 1) {
    return fail(ErrorCode::InvalidArgument, "max_per_repo must be at least 1");
  }
  return {};
}

bool contains(const std::vector<TaskId>& ids, TaskId id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

}  // namespace

Status Core::State::may_admit(std::size_t count) const {
  if (draining) return shutting_down();
  const auto most = static_cast<std::size_t>(std::max(options.max_live_tasks, 0));
  if (tasks.size() + count > most) {
    return fail(ErrorCode::Exhausted,
                "the server holds " + std::to_string(tasks.size()) + " tasks of at most " +
                    std::to_string(most) + "; retry in 2 s or raise max_live_tasks",
                kRetryMs);
  }
  return {};
}

Error Core::State::pool_full(const LivePool& pool) const {
  return Error{ErrorCode::Exhausted,
               "pool \"" + pool.spec.name + "\" is full (" + std::to_string(pool.queued) +
                   " queued); retry in 2 s or raise max_queue",
               kRetryMs};
}

// Says what there is instead: a full pool is worth a retry, a paused one a scale, none a spawn.
Error Core::State::no_pool(const TaskSpec& spec) const {
  std::string seen;
  for (const auto& [name, slot] : pool_names) {
    const LivePool& pool = pools[slot];
    if (!pool.durable || pool.spec.worker_type != spec.worker_type) continue;
    if (!pool.draining && !pool.paused) return pool_full(pool);
    if (seen.size() < 200) {
      seen += (seen.empty() ? "" : ", ") + ("\"" + name + "\" is ") +
              std::string(to_string(state_of(pool)));
    }
  }
  if (!seen.empty()) {
    return Error{ErrorCode::Unavailable,
                 "no pool of worker type \"" + spec.worker_type + "\" takes work: " + seen +
                     "; resume one with pool_scale or name a pool",
                 kRetryMs};
  }
  std::vector<std::string> types;
  for (const auto& [name, slot] : pool_names) {
    const LivePool& pool = pools[slot];
    if (pool.durable &&
        !(std::find(types.begin(), types.end(), pool.spec.worker_type) != types.end())) {
      types.push_back(pool.spec.worker_type);
    }
  }
  std::string known;
  for (const std::string& type : types) known += (known.empty() ? "" : ", ") + type;
  return Error{ErrorCode::Unavailable,
               "no pool of worker type \"" + spec.worker_type + "\"; there is " +
                   (known.empty() ? "no pool" : known) + "; make one with pool_spawn",
               0};
}

// `waits`: it will not be queued at once, so that a full queue is no reason to refuse it.
Result<std::uint32_t> Core::State::choose_pool(const TaskSpec& spec, bool waits) {
  if (!spec.pool) {
    const std::string& key = !spec.affinity_key.empty() ? spec.affinity_key
                             : !spec.repo.empty()       ? spec.repo
                                                        : spec.caller;
    const std::uint32_t slot = selector.choose(spec.selector, spec.worker_type, key, chance.draw());
    if (slot == kNone) return fail(no_pool(spec));
    return slot;
  }
  const std::uint32_t slot = find_pool(*spec.pool);
  if (slot == kNone || !pools[slot].durable) {
    return fail(ErrorCode::NotFound,
                "no pool " + spec.pool->str() + "; pool_list shows what there is");
  }
  const LivePool& pool = pools[slot];
  if (pool.draining) {
    return fail(ErrorCode::Unavailable,
                "pool \"" + pool.spec.name + "\" is draining and takes no new work; name another");
  }
  if (!waits && pool.queued >= static_cast<std::uint32_t>(pool.spec.max_queue)) {
    return fail(pool_full(pool));
  }
  return slot;
}

// The live tasks it has to wait for; whether one of its dependencies has failed already.
Result<Core::State::Needs> Core::State::needs_of(const NewTask& task) const {
  Needs needs;
  for (const TaskId id : task.spec->depends_on) {
    if (contains(task.settled_completed, id)) continue;
    if (contains(task.settled_failed, id)) {
      needs.failed = true;
      continue;
    }
    const std::uint32_t slot = find_task(id);
    if (slot != kNone) {
      needs.live.push_back(slot);
      continue;
    }
    const auto known = outcomes.completed(id);
    if (!known) {
      return fail(ErrorCode::NotFound, "depends_on names " + id.str() + ", which is no task");
    }
    needs.failed |= !*known;
  }
  return needs;
}

// What the archive did not know when it was asked, and what is not remembered here, may have come
// onto disk and left the memory in between: then nobody has looked.
Status Core::State::key_is_free(const std::string& key,
                                const std::optional<MonoTime>& sought) const {
  if (keys.knows_since(sought.value_or(now.mono))) return {};
  return fail(ErrorCode::Unavailable,
              "looking up the idempotency key \"" + key +
                  "\" took so long that its answer may be old; nothing was done, try again",
              kRetryMs);
}

Result<SubmittedTasks::Item> Core::State::admit(const SubmitTasks& event, std::uint32_t index) {
  const NewTask& task = event.tasks[index];
  if (Status valid = check_spec(task); !valid) return fail(valid.error());
  const TaskSpec& spec = *task.spec;
  if (!spec.idempotency_key.empty()) {
    const std::uint32_t key = keys.find(spec.caller, spec.idempotency_key);
    if (key != kNone && keys[key].task.is_null()) {
      return fail(ErrorCode::Conflict, "the idempotency key \"" + spec.idempotency_key +
                                           "\" already names " + keys[key].workflow.str());
    }
    if (key != kNone) return SubmittedTasks::Item{keys[key].task, true, std::nullopt};
    if (Status free = key_is_free(spec.idempotency_key, event.keys_sought); !free) {
      return fail(free.error());
    }
  }
  if (Status room = may_admit(1); !room) return fail(room.error());
  if (find_task(task.id) != kNone) {
    return fail(ErrorCode::Conflict, task.id.str() + " is taken");
  }
  auto needs = needs_of(task);
  if (!needs) return fail(needs.error());
  const bool later = spec.not_before && *spec.not_before > now.wall;
  const bool waits = later || needs->failed || !needs->live.empty();
  auto pool = choose_pool(spec, waits);
  if (!pool) return fail(pool.error());

  const std::uint32_t slot = add_task(task.id, spec, *pool);
  LiveTask& t = tasks[slot];
  t.batch = event.batch;
  t.doomed = needs->failed;
  for (const std::uint32_t needed : needs->live) dependencies.join(slot, needed);
  count(slot, waits ? Bucket::Delayed : Bucket::Queued);
  record_admission(slot, task.spec, {}, task.place);
  after_commit({0, Pending::Kind::Task, slot, task.id.value, {}, 0});
  if (!spec.idempotency_key.empty()) {
    t.key = keys.add(spec.caller, spec.idempotency_key);
    keys[t.key].task = task.id;
    keys[t.key].admission = commit();
  }
  ++totals.admitted;
  return SubmittedTasks::Item{task.id, false, std::nullopt};
}

void Core::State::record_admission(std::uint32_t task, const std::shared_ptr<const TaskSpec>& spec,
                                   const std::string& step, std::uint32_t batch_index) {
  const LiveTask& t = tasks[task];
  TaskAdmitted admitted;
  admitted.task.id = t.id;
  admitted.task.pool = pools[t.pool].id;
  admitted.task.pool_name = pools[t.pool].spec.name;
  admitted.task.batch = t.batch;
  admitted.task.batch_index = batch_index;
  if (t.flow != kNone) admitted.task.workflow = flows[t.flow].id;
  admitted.task.step = step;
  admitted.task.created = t.created;
  admitted.task.spec = spec;
  admitted.task.status = status_of(t);
  record(std::move(admitted));
}

// Which commit the answer waits for. The newest of those it rests on; if an older one fails, the
// answer changes.
CommitNo Core::State::answer_after(Ticket ticket, const SubmittedTasks& answer,
                                   std::vector<CommitNo> others) {
  std::vector<CommitNo> all = others;
  all.push_back(commit());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  if (all.front() == 0) all.erase(all.begin());
  for (const CommitNo number : all) {
    after_commit({number, Pending::Kind::Ticket, kNone, {}, {}, ticket});
  }
  if (all.empty()) return 0;
  if (all.size() > 1) mixed[ticket] = {answer, std::move(others), all.back()};
  return all.back();
}

void Core::State::on(const SubmitTasks& event) {
  keys.expire(now.mono);
  if (draining) {
    totals.refused += event.tasks.size();
    return reply(event.ticket, shutting_down().value(), 0);
  }
  admitting = true;
  SubmittedTasks answer;
  answer.items.reserve(event.tasks.size());
  std::vector<CommitNo> others;  // admissions under way whose keys came again, by item
  others.resize(event.tasks.size(), 0);
  for (std::uint32_t i = 0; i < event.tasks.size(); ++i) {
    auto item = admit(event, i);
    if (!item) {
      ++totals.refused;
      answer.items.push_back({event.tasks[i].id, false, item.error()});
      continue;
    }
    if (item->existing) {
      const TaskSpec& spec = *event.tasks[i].spec;
      const CommitNo first = keys[keys.find(spec.caller, spec.idempotency_key)].admission;
      if (first != commit()) others[i] = first;
    }
    answer.items.push_back(std::move(*item));
  }
  const CommitNo after = answer_after(event.ticket, answer, std::move(others));
  reply(event.ticket, std::move(answer), after);
}

}  // namespace mahavishnu::domain
