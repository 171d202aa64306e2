// Submitting, reading, waiting for and cancelling tasks.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/planted.h"
#include "control/service.h"
#include "control/service_state.h"
#include "domain/pool_settings.h"

namespace mahavishnu::control {

using domain::ErrorCode;
using domain::fail;
using domain::TaskId;

namespace {

constexpr int kMostTasksABatch = 1000;

bool is_below(const std::filesystem::path& path, const std::filesystem::path& root) {
  const auto [end, ignored] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return end == root.end();
}

std::filesystem::path normal(const std::filesystem::path& path) {
  auto plain = path.lexically_normal();
  return plain.has_filename() ? plain : plain.parent_path();
}

// Work runs inside its repository, another configured one, or an allowed path; nowhere else.
Status resolve_cwd(domain::TaskSpec& spec, const domain::RepositoryIndex& repositories,
                   const std::vector<std::string>& allowed) {
  if (spec.work.cwd.empty()) return {};
  std::filesystem::path cwd = spec.work.cwd;
  if (cwd.is_relative()) {
    if (spec.repo_path.empty()) {
      return fail(
          ErrorCode::InvalidArgument,
          "cwd \"" + spec.work.cwd + "\" is relative; name a repo, or give an absolute path");
    }
    cwd = std::filesystem::path(spec.repo_path) / cwd;
  }
  cwd = normal(cwd);
  bool inside = !spec.repo_path.empty() && is_below(cwd, normal(spec.repo_path));
  for (const auto& path : allowed) inside = inside || is_below(cwd, normal(path));
  if (spec.repo_path.empty()) {
    for (const auto& repo : repositories.all()) inside = inside || is_below(cwd, normal(repo.path));
  }
  if (!inside) {
    return fail(ErrorCode::Denied,
                "cwd \"" + spec.work.cwd + "\" is outside " +
                    (spec.repo_path.empty() ? std::string("the configured repositories")
                                            : "repository \"" + spec.repo + "\"") +
                    " and allowed_paths; work runs only there");
  }
  spec.work.cwd = cwd.string();
  return {};
}

// Fields the pool has defaults for and the task left as they are.
void take_pool_defaults(domain::TaskSpec& spec, const domain::PoolSpec& pool) {
  const domain::Timeouts usual;
  const auto take = [](base::Millis& own, base::Millis standard, base::Millis pools) {
    if (own == standard && pools.count() != 0) own = pools;
  };
  take(spec.timeouts.queue, usual.queue, pool.timeouts.queue);
  take(spec.timeouts.start, usual.start, pool.timeouts.start);
  take(spec.timeouts.total, usual.total, pool.timeouts.total);
  if (spec.retry.max_attempts == 1 && pool.retry.max_attempts > 1) spec.retry = pool.retry;
}

}  // namespace

Result<domain::NewTask> Service::State::prepare(SubmitArgs args) {
  domain::TaskSpec& spec = args.spec;
  if (auto good = domain::check_work(spec.work); !good) return fail(good.error());
  const domain::BoundsPtr bounds = bounds_of(spec.caller);
  auto pool = pool_for(spec.work, args.pool, bounds.get());
  if (!pool) return fail(pool.error());
  if (pool->spec != nullptr) spec.worker_type = pool->spec->worker_type;
  if (!executors_by_type.contains(spec.worker_type)) {
    return fail(ErrorCode::InvalidArgument, "no worker type \"" + spec.worker_type + "\"");
  }
  const domain::Repository* repository = nullptr;
  if (!spec.repo.empty()) {
    auto repo = repositories->find(spec.repo);
    if (!repo) return fail(repo.error());
    repository = *repo;
    spec.repo = repository->name;
    spec.repo_path = repository->path;
  }
  const bool in_repository_only = bounds && bounds->bind_repositories();
  if (in_repository_only) {
    if (auto allowed = bounds->check_repository(repository); !allowed) return fail(allowed.error());
  }
  static const std::vector<std::string> kNowhereElse;
  if (auto inside = resolve_cwd(spec, *repositories,
                                in_repository_only ? kNowhereElse : options.allowed_paths);
      !inside) {
    return fail(inside.error());
  }
  if (pool->spec != nullptr) {
    spec.pool = pool->id;
    take_pool_defaults(spec, *pool->spec);
  }
  domain::NewTask task;
  task.id = TaskId{new_id()};
  task.spec = std::make_shared<const domain::TaskSpec>(std::move(spec));
  return task;
}

Result<Service::State::ChosenPool> Service::State::pool_for(const domain::Work& work,
                                                            const std::string& name,
                                                            const domain::Bounds* bounds) const {
  std::string chosen = name;
  if (name.empty() && bounds != nullptr) {
    auto usual = bounds->usual_pool();
    if (!usual) return fail(usual.error());
    chosen = std::move(*usual);
  }
  if (chosen.empty() && work.tool.empty()) return ChosenPool{};
  if (chosen.empty()) {
    const auto callers = shell.core().names_of(domain::kMcp);
    if (callers.size() != 1) {
      return fail(ErrorCode::InvalidArgument,
                  "tool \"" + work.tool + "\" needs a pool of type mcp: " +
                      (callers.empty() ? "there is none; make one with pool_spawn"
                                       : "name one of " + domain::listed(callers)));
    }
    chosen = callers.front();
  }
  auto id = shell.core().find_pool(chosen);
  if (!id) return fail(id.error());
  const domain::PoolSpec* spec = shell.core().spec_of(*id);
  if (spec == nullptr) return fail(ErrorCode::NotFound, "no pool \"" + chosen + "\"");
  if (bounds != nullptr) {
    if (auto allowed = bounds->check_pool(spec->name); !allowed) return fail(allowed.error());
  }
  if (!domain::check_fit(work, *spec, {})) {
    // The names of all others are gathered for the message only.
    const auto callers = shell.core().names_of(domain::kMcp);
    return fail(domain::check_fit(work, *spec, callers).error());
  }
  return ChosenPool{*id, spec};
}

// What the core cannot know: dependencies that ended before it was asked. Fills `task` in.
awaitable<Status> Service::State::settle_dependencies(domain::NewTask& task) {
  for (const TaskId dependency : task.spec->depends_on) {
    if (shell.core().is_live(dependency)) continue;
    auto ended = co_await read_task(dependency);
    if (!ended) {
      co_return fail(ended.error().code, "depends_on: " + ended.error().message);
    }
    const domain::TaskState state = (*ended)->status.state;
    if (!domain::is_terminal(state)) continue;  // it went live between the look and the read
    if (state == domain::TaskState::Completed) {
      task.settled_completed.push_back(dependency);
    } else {
      task.settled_failed.push_back(dependency);
    }
  }
  co_return Status{};
}

// The task an idempotency key named in the past; a null id when none did.
awaitable<Result<domain::Archive::Keyed>> Service::State::find_key(std::string caller,
                                                                   std::string key) {
  if (key.empty() || base::planted(11)) co_return domain::Archive::Keyed{};
  auto ask = [this, &caller, &key](auto callback) {
    archive.by_key(caller, key, std::move(callback));
  };
  co_return co_await answer_of<domain::Archive::Keyed>(executor, std::move(ask));
}

awaitable<Result<Submitted>> Service::submit(SubmitArgs args) {
  std::vector<Result<SubmitArgs>> one;
  one.emplace_back(std::move(args));
  auto outcome = co_await submit_all(std::move(one), domain::BatchId{});
  if (!outcome) co_return fail(outcome.error());
  co_return std::move(outcome->front());
}

awaitable<Result<Service::BatchOutcome>> Service::submit_batch(
    std::vector<Result<SubmitArgs>> items) {
  if (items.empty() || items.size() > kMostTasksABatch) {
    co_return fail(ErrorCode::InvalidArgument,
                   "a batch holds 1 to 1,000 tasks, not " + std::to_string(items.size()));
  }
  BatchOutcome outcome;
  outcome.batch = domain::BatchId{state_->new_id()};
  auto all = co_await submit_all(std::move(items), outcome.batch);
  if (!all) co_return fail(all.error());
  outcome.items = std::move(*all);
  co_return outcome;
}

// One event, one commit for all items. An item that is refused here keeps its place in the answer.
awaitable<Result<std::vector<Result<Submitted>>>> Service::submit_all(
    std::vector<Result<SubmitArgs>> items, domain::BatchId batch) {
  State& state = *state_;
  const base::MonoTime begun = state.shell.now().mono;
  std::vector<Result<Submitted>> outcome(items.size());
  domain::SubmitTasks event;
  event.batch = batch;
  event.keys_sought = begun;
  std::vector<std::size_t> places;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if (!items[i]) {
      outcome[i] = fail(items[i].error());
      continue;
    }
    auto task = state.prepare(std::move(*items[i]));
    if (!task) {
      outcome[i] = fail(task.error());
      continue;
    }
    // A coroutine of its own for each of a thousand items would be felt.
    Result<domain::Archive::Keyed> keyed = domain::Archive::Keyed{};
    if (!task->spec->idempotency_key.empty()) {
      keyed = co_await state.find_key(task->spec->caller, task->spec->idempotency_key);
    }
    if (!keyed) {
      outcome[i] = fail(keyed.error());
      continue;
    }
    if (keyed->workflow) {
      outcome[i] =
          fail(ErrorCode::Conflict, "idempotency_key \"" + task->spec->idempotency_key +
                                        "\" already named workflow " + keyed->workflow.str());
      continue;
    }
    if (keyed->task) {
      outcome[i] = Submitted{keyed->task, true};
      continue;
    }
    Status settled;
    if (!task->spec->depends_on.empty()) settled = co_await state.settle_dependencies(*task);
    if (!settled) {
      outcome[i] = fail(settled.error());
      continue;
    }
    task->place = static_cast<std::uint32_t>(i);
    event.tasks.push_back(std::move(*task));
    places.push_back(i);
  }
  if (event.tasks.empty()) co_return outcome;
  const base::MonoTime admitted = state.shell.now().mono;
  state.shell.clocks().add(Stage::Admit, admitted, admitted - begun);
  auto reply = co_await state.ask<domain::SubmittedTasks>(std::move(event));
  if (!reply) {
    // Nothing of the commit is on disk: every item that was in it is refused alike.
    for (const std::size_t place : places) outcome[place] = fail(reply.error());
    co_return outcome;
  }
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto& item = reply->items[i];
    if (item.refused) {
      outcome[places[i]] = fail(*item.refused);
    } else {
      outcome[places[i]] = Submitted{item.id, item.existing};
    }
  }
  co_return outcome;
}

TaskPtr Service::cached_task(TaskId id) const { return state_->shell.records().cached_task(id); }

awaitable<Result<TaskPtr>> Service::task(TaskId id, Wait wait) {
  State& state = *state_;
  if (wait.limit.count() == 0) co_return co_await state.read_task(id);
  if (auto room = state.shell.watchers().room(); !room) co_return fail(room.error());
  const auto until = state.deadline(wait.limit);
  Watch watch(state.shell.watchers(), {{id.value, Topic::State}});
  std::uint64_t first_version = 0;
  while (true) {
    auto task = co_await state.read_task(id);
    if (!task || domain::is_terminal((*task)->status.state)) co_return task;
    const std::uint64_t version = (*task)->status.version;
    if (first_version == 0) first_version = version;
    if (wait.until_change && version != first_version) co_return task;
    auto changed = co_await watch.changed(until);
    if (!changed) co_return fail(changed.error());
    if (!*changed) co_return task;
  }
}

awaitable<Result<domain::Listing<domain::TaskRecord>>> Service::tasks(domain::TaskFilter filter,
                                                                      domain::Page page) {
  auto ask = [this, &filter, &page](auto callback) {
    state_->archive.tasks(filter, page, std::move(callback));
  };
  co_return co_await answer_of<domain::Listing<domain::TaskRecord>>(state_->executor,
                                                                    std::move(ask));
}

awaitable<Result<std::vector<TaskId>>> Service::State::unended_of(domain::BatchId batch) {
  domain::TaskFilter filter;
  filter.batch = batch;
  domain::Page page;
  page.limit = kMostTasksABatch;
  auto ask = [this, &filter, &page](auto callback) {
    archive.tasks(filter, page, std::move(callback));
  };
  auto listing = co_await answer_of<domain::Listing<domain::TaskRecord>>(executor, std::move(ask));
  if (!listing) co_return fail(listing.error());
  if (listing->items.empty()) co_return fail(ErrorCode::NotFound, "no batch " + batch.str());
  std::vector<TaskId> ids;
  for (const auto& task : listing->items) {
    if (!domain::is_terminal(task.status.state)) ids.push_back(task.id);
  }
  co_return ids;
}

awaitable<Status> Service::wait_batch(domain::BatchId id, Wait wait) {
  State& state = *state_;
  const auto until = state.deadline(wait.limit);
  auto ids = co_await state.unended_of(id);
  if (!ids) co_return fail(ids.error());
  if (ids->empty() || wait.limit.count() == 0) co_return Status{};
  if (!wait.until_change) co_return co_await state.wait_ended(std::move(*ids), until);
  if (auto room = state.shell.watchers().room(); !room) co_return room;
  std::vector<WatchKey> keys;
  for (const TaskId task : *ids) keys.push_back({task.value, Topic::State});
  Watch watch(state.shell.watchers(), std::move(keys));
  auto changed = co_await watch.changed(until);
  if (!changed) co_return fail(changed.error());
  co_return Status{};
}

Status Service::State::may_cancel(const std::string& by, const std::string& caller) const {
  if (by == caller || !bounds_of(by)) return {};
  return fail(ErrorCode::Denied,
              "this credential is bound, and cancels only what it handed in "
              "itself: what has caller \"" +
                  by + "\"");
}

awaitable<Status> Service::State::may_cancel_all(std::string by, std::vector<TaskId> tasks) {
  for (const TaskId id : tasks) {
    auto task = co_await read_task(id);
    if (!task) co_return fail(task.error());
    if (auto may = may_cancel(by, (*task)->spec->caller); !may) co_return may;
  }
  co_return Status{};
}

awaitable<Result<CancelOutcome>> Service::cancel(CancelArgs args, base::Millis wait) {
  State& state = *state_;
  const auto until = state.deadline(wait);
  if (state.bounds_of(args.by)) {
    auto may = co_await state.may_cancel_all(args.by, args.tasks);
    if (may && args.filter) {
      std::string& meant = args.filter->caller;
      if (meant.empty()) meant = args.by;
      may = state.may_cancel(args.by, meant);
    }
    if (!may) co_return fail(may.error());
  }
  Result<domain::CancelAnswer> answer;
  if (args.filter) {
    answer = co_await state.ask<domain::CancelAnswer>(std::move(*args.filter));
  } else {
    for (const TaskId id : args.tasks) {
      if (state.shell.core().is_live(id)) continue;
      auto known = co_await state.read_task(id);
      if (!known) co_return fail(known.error());
    }
    domain::CancelTasks event;
    event.tasks = std::move(args.tasks);
    answer = co_await state.ask<domain::CancelAnswer>(std::move(event));
  }
  if (!answer) co_return fail(answer.error());
  co_return co_await state.cancelled(std::move(*answer), wait, until);
}

awaitable<Result<CancelOutcome>> Service::State::cancelled(domain::CancelAnswer answer,
                                                           base::Millis wait,
                                                           base::MonoTime until) {
  if (wait.count() > 0 && !base::planted(6)) {
    auto waited = co_await wait_ended(answer.cancelled, until);
    if (!waited) co_return fail(waited.error());
  }
  CancelOutcome outcome;
  for (const TaskId id : answer.cancelled) {
    CancelOutcome::Item item;
    item.task = id;
    auto task = co_await read_task(id);
    if (task) {
      item.ended = domain::is_terminal((*task)->status.state) || base::planted(6);
      if (item.ended && !(*task)->attempts.empty()) {
        item.processes_left = (*task)->attempts.back().processes_left;
      }
      // It came to its own end before the stop reached it.
      item.already_ended = item.ended && (*task)->status.state != domain::TaskState::Cancelled;
    }
    outcome.items.push_back(item);
  }
  for (const TaskId id : answer.already_ended) {
    CancelOutcome::Item item;
    item.task = id;
    item.already_ended = true;
    item.ended = true;
    outcome.items.push_back(item);
  }
  co_return outcome;
}

}  // namespace mahavishnu::control
