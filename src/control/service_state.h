// What the service is made of; shared by its source files only.
#pragma once

#include <limits>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "control/service.h"
#include "control/shell.h"

namespace mahavishnu::control {

struct Service::State {
  State(asio::any_io_executor executor_in, ServiceOptions options_in, Timers& timers,
        domain::Journal& journal, domain::Archive& archive_in,
        std::map<std::string, domain::Executor*> executors)
      : executor(executor_in),
        options(std::move(options_in)),
        archive(archive_in),
        executors_by_type(executors),
        shell(executor_in, options, timers, journal, archive_in, std::move(executors)),
        ids(options.id_seed == 0 ? base::UlidSource() : base::UlidSource(options.id_seed)),
        pool_memory({1, kAnyBytes, base::Millis{5000}}, {}, clock()),
        executor_health({100, kAnyBytes, base::Millis{30000}}, {}, clock()),
        pool_health({1000, kAnyBytes, base::Millis{30000}}, {}, clock()) {}

  // Feeds `event` under a fresh ticket and waits for the reply, which comes after its commit is on
  // disk. `Body` is the alternative of the reply that this event is answered by.
  template <class Body, class Event>
  awaitable<Result<Body>> ask(Event event) {
    auto [ticket, waiting] = shell.open_ticket();
    event.ticket = ticket;
    shell.feed(domain::Event{std::move(event)});
    auto reply = co_await OneShot<Result<ReplyBody>>::wait(waiting);
    if (!reply) co_return domain::fail(reply.error());
    if (auto* body = std::get_if<Body>(&*reply)) co_return std::move(*body);
    co_return domain::fail(domain::ErrorCode::Internal,
                           "the core answered with another kind of reply");
  }

  domain::BoundsPtr bounds_of(const std::string& caller) const {
    return options.bounds_of ? options.bounds_of(caller) : nullptr;
  }
  // Denied: somebody else handed it in, and `by` is bound.
  Status may_cancel(const std::string& by, const std::string& caller) const;
  awaitable<Status> may_cancel_all(std::string by, std::vector<domain::TaskId> tasks);

  // Resolves names, checks where the work may run and gives it an id.
  Result<domain::NewTask> prepare(SubmitArgs args);
  struct ChosenPool {
    domain::PoolId id;
    const domain::PoolSpec* spec = nullptr;  // good until the core's next step
  };
  // The pool that is named, checked to be one that can do this work; or, of a tool without a name,
  // the only pool of type mcp. Null for a command without a name. `bounds` may be null.
  Result<ChosenPool> pool_for(const domain::Work& work, const std::string& name,
                              const domain::Bounds* bounds) const;
  awaitable<Status> settle_dependencies(domain::NewTask& task);
  awaitable<Result<domain::Archive::Keyed>> find_key(std::string caller, std::string key);
  awaitable<Result<std::vector<domain::TaskId>>> unended_of(domain::BatchId batch);
  awaitable<Result<CancelOutcome>> cancelled(domain::CancelAnswer answer, base::Millis wait,
                                             base::MonoTime until);
  awaitable<Result<domain::OutputChunk>> output_now(domain::TaskId id, OutputQuery query);

  awaitable<Result<TaskPtr>> read_task(domain::TaskId id);
  awaitable<Result<WorkflowPtr>> read_workflow(domain::WorkflowId id);
  base::MonoTime deadline(base::Millis wait) const { return shell.now().mono + wait; }
  // For the clocks of calls, whose slots are minutes: as old as the last look at the loop's lag at
  // most, because a look at the time itself costs as much as all the rest of clocking.
  base::MonoTime about_now(bool look) {
    if (look || looked == base::MonoTime{}) looked = shell.now().mono;
    return looked;
  }
  base::Ulid new_id() { return ids.next(shell.now().wall); }

  // Asks every executor at once what its attempts hold; those that are late cannot tell.
  void gather_memory(base::Millis at_most, std::function<void(Result<Service::PoolMemory>)> done);
  std::set<domain::PoolId> running_pools() const;
  // Those that its pools keep ready; waits a second at most.
  awaitable<void> workers_up(domain::Executor& executor);
  // "" or what is wrong with it.
  void probe(const std::string& worker_type, base::Millis at_most,
             std::function<void(Result<std::string>)> done);
  // "" or what this pool's work would miss.
  void examine(const domain::PoolSpec& pool, base::Millis at_most,
               std::function<void(Result<std::string>)> done);
  std::function<base::MonoTime()> clock() {
    return [this] { return shell.now().mono; };
  }

  // Waits until none of `ids` is live any more, or until the deadline.
  awaitable<Status> wait_ended(std::vector<domain::TaskId> ids, base::MonoTime until);

  base::MonoTime looked{};
  asio::any_io_executor executor;
  ServiceOptions options;
  domain::Archive& archive;
  std::map<std::string, domain::Executor*> executors_by_type;
  Shell shell;
  base::UlidSource ids;
  std::shared_ptr<const domain::RepositoryIndex> repositories;
  std::uint64_t repositories_version = 0;

  static constexpr std::size_t kAnyBytes = std::numeric_limits<std::size_t>::max();
  base::Cache<int, Service::PoolMemory> pool_memory;      // under 0: all pools are gathered at once
  base::Cache<std::string, std::string> executor_health;  // by worker type: what is wrong, or ""
  base::Cache<domain::PoolId, std::string> pool_health;   // the same of a pool's settings
};

}  // namespace mahavishnu::control
