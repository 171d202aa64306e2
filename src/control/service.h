// The shell's face to the tools: typed calls in, outcomes on disk out.
//
// Every call runs on the control thread and suspends only the coroutine that made it. An answer is
// given after what it tells of is on disk. Waits are bounded (Exhausted when too many wait). The
// service owns the core, the effect runner, the timers and the record cache; it knows no JSON and no
// MCP. Lifetime: made by app after its ports, stopped before them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/cache.h"
#include "control/clocks.h"
#include "control/timers.h"
#include "domain/bounds.h"
#include "domain/core.h"
#include "domain/ports.h"
#include "domain/repositories.h"

namespace mahavishnu::control {

using base::awaitable;
using domain::Result;
using domain::Status;

// How long a call is held, and until what.
struct Wait {
  base::Millis limit{0};
  bool until_change = false;  // false: until it is done
};

struct Submitted {
  domain::TaskId task;
  bool existing = false;
};

struct CancelOutcome {
  struct Item {
    domain::TaskId task;
    bool already_ended = false;
    int processes_left = 0;   // meaningful once `ended`
    bool ended = false;       // within the wait
  };
  std::vector<Item> items;
};

struct OutputQuery {
  domain::OutputStream stream = domain::OutputStream::All;
  std::int64_t offset = -1;   // −1: the tail
  std::size_t max_bytes = 16384;
  base::Millis wait{0};       // for more output, when there is none at `offset` yet
};

struct PoolReport {
  domain::PoolStatus status;
  Quantiles queue_wait, run_time;
  double per_minute_1 = 0, per_minute_5 = 0, per_minute_15 = 0;  // tasks ended, over 1, 5, 15 min
};

struct Metrics {
  base::Millis window{0};
  std::map<std::string, Quantiles> latency;      // by operation or stage
  std::map<std::string, double> per_second;      // throughput by operation
  std::map<std::string, Clocks::Total> totals;   // of the same since the start
  std::map<std::string, std::uint64_t> counters; // totals since start, errors by kind, drops
  std::map<std::string, std::int64_t> gauges;    // queue depths, live tasks, rss_bytes
};

struct ServiceOptions {
  domain::CoreOptions core;
  std::size_t max_waiters = 10000;
  std::size_t record_cache = 10000;      // tasks and workflows kept ready for reads
  std::vector<std::string> env_allow;    // names passed from the server's environment to work
  std::vector<std::string> allowed_paths;  // where `cwd` may be besides repositories
  domain::StringMap server_env;          // the server's environment, taken once at start
  std::string node;                      // host name, for attempts
  std::size_t record_cache_bytes = 32U << 20U;
  base::Millis stop_grace{5000};         // TERM to KILL
  std::uint64_t id_seed = 0;             // of new ids; 0: the system's randomness (tests repeat them)
  // Where a caller may run work (null: anywhere), and what it may cancel: who is bound, only what it
  // handed in itself. Asked at every such call. May be empty: nobody is bound.
  std::function<domain::BoundsPtr(const std::string& caller)> bounds_of;
  // Told of the records of every commit once they are on disk, in order. May be empty.
  std::function<void(const std::vector<domain::Record>&)> committed;
  // Told that a running task has written something; often. May be empty.
  std::function<void(domain::TaskId)> output_grew;
  // Adds what only the program's outside knows (rss_bytes, journal and HTTP figures) to an answer of
  // metrics(). May be empty.
  std::function<void(struct Metrics&)> more_metrics;
};

class Service {
 public:
  // Executors by worker type ("shell").
  Service(asio::any_io_executor executor, ServiceOptions options, Timers& timers, domain::Journal& journal,
          domain::Archive& archive, std::map<std::string, domain::Executor*> executors);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Recovers the executors' attempts, restores the core and makes the `default` pool when there is
  // none. Nothing else may be called before it returned.
  awaitable<Status> start(domain::Snapshot snapshot, int default_workers);
  // No new work from now on. Resumes when nothing runs any more or at `grace`; then running attempts
  // are stopped and their ends written.
  awaitable<void> drain(base::Millis grace);
  // Ends every wait with Unavailable. After it no callback of a port has an effect.
  void stop();

  // Repositories. Never null.
  std::shared_ptr<const domain::RepositoryIndex> repositories() const;
  void set_repositories(std::shared_ptr<const domain::RepositoryIndex> index);
  // Grows with every set_repositories; lets tools keep rendered answers.
  std::uint64_t repositories_version() const;

  // Tasks. The spec's repo is a name or nickname: resolved, checked and completed here (repo_path,
  // cwd inside a repository or allowed path, pool by name, caller).
  struct SubmitArgs {
    domain::TaskSpec spec;
    std::string pool;  // name or id; "" : selector
  };
  awaitable<Result<Submitted>> submit(SubmitArgs args);
  struct BatchOutcome {
    domain::BatchId batch;
    std::vector<Result<Submitted>> items;  // as given
  };
  awaitable<Result<BatchOutcome>> submit_batch(std::vector<Result<SubmitArgs>> items);

  using TaskPtr = std::shared_ptr<const domain::TaskRecord>;
  using WorkflowPtr = std::shared_ptr<const domain::WorkflowRecord>;
  // Committed state; NotFound names the id. With a wait: returns early when done or changed.
  awaitable<Result<TaskPtr>> task(domain::TaskId id, Wait wait = {});
  // The same from memory only, without suspending; null when it is not at hand. For hot paths.
  TaskPtr cached_task(domain::TaskId id) const;
  awaitable<Result<domain::Listing<domain::TaskRecord>>> tasks(domain::TaskFilter filter, domain::Page page);
  // Waits until every task of the batch ended (or one changed).
  awaitable<Status> wait_batch(domain::BatchId id, Wait wait);
  awaitable<Result<domain::OutputChunk>> output(domain::TaskId id, OutputQuery query);

  struct CancelArgs {
    std::vector<domain::TaskId> tasks;            // or
    std::optional<domain::CancelMatching> filter; // its ticket is ignored
    std::string by;                               // who asks
  };
  awaitable<Result<CancelOutcome>> cancel(CancelArgs args, base::Millis wait);

  // Workflows. Repositories are chosen by `over`; pools in steps by name.
  struct WorkflowArgs {
    domain::WorkflowSpec spec;  // repos are filled in here
    domain::RepositoryQuery over;
    std::map<std::string, std::string> step_pools;  // step id → pool name or id
  };
  struct WorkflowStarted {
    domain::WorkflowId workflow;
    bool existing = false;
    std::vector<domain::TaskId> cells;  // in the order they were admitted; of a new one
  };
  awaitable<Result<WorkflowStarted>> run_workflow(WorkflowArgs args);
  awaitable<Result<WorkflowPtr>> workflow(domain::WorkflowId id, Wait wait = {});
  awaitable<Result<domain::Listing<domain::WorkflowRecord>>> workflows(domain::WorkflowFilter filter,
                                                                       domain::Page page);
  awaitable<Result<CancelOutcome>> cancel_workflow(domain::WorkflowId id, base::Millis wait,
                                                   std::string by = {});

  // Pools, by name or id.
  awaitable<Result<domain::PoolAnswer>> spawn_pool(domain::PoolSpec spec);
  awaitable<Status> scale_pool(std::string pool, std::optional<int> target, std::optional<bool> paused);
  struct CloseOutcome {
    domain::PoolId pool;
    int finished = 0, cancelled = 0, still_draining = 0;
  };
  awaitable<Result<CloseOutcome>> close_pool(std::string pool, bool now, base::Millis wait);
  Result<domain::PoolStatus> pool(std::string_view name_or_id) const;
  std::vector<domain::PoolStatus> pools() const;
  std::vector<PoolReport> monitor(const std::vector<domain::PoolId>& pools) const;
  // Bytes of memory that what runs in each pool holds, by pools in which something runs; nullopt
  // where its executor cannot tell, or did not within `at_most`. At most 5 s old.
  using PoolMemory = std::map<domain::PoolId, std::optional<std::int64_t>>;
  awaitable<PoolMemory> pool_memory(base::Millis at_most);
  // What is wrong with executors, by worker type, as they answered within the last 30 s; empty: all
  // are well. One that does not answer within `at_most` is not.
  awaitable<std::map<std::string, std::string>> executor_problems(base::Millis at_most);

  // What keeps any work of these pools from running here, by pool, as far as their executors see
  // it; those that lack nothing are left out, and those not told of within `at_most`. At most 30 s
  // old. Only pools with settings are asked after.
  awaitable<std::map<domain::PoolId, std::string>> pool_problems(std::vector<domain::PoolId> pools,
                                                                 base::Millis at_most);

  Result<domain::Explanation> explain_pool(std::string_view name_or_id) const;
  awaitable<Result<domain::Explanation>> explain_task(domain::TaskId id);
  awaitable<Result<domain::Explanation>> explain_workflow(domain::WorkflowId id);

  Metrics metrics(base::Millis window) const;
  // Adds one duration to a named operation ("tools/call repo_list"); the doors call it.
  void clocked(std::string_view operation, std::chrono::microseconds took, bool ok);
  void clocked(Stage stage, std::chrono::microseconds took);

  // Adds the service's caches; it must outlive `caches`' use.
  void list_caches(base::Caches& caches);

  domain::CoreCounts counts() const;
  bool idle() const;  // nothing queued, running, delayed or unwritten
  std::string check() const;  // Core::check; tests only

 private:
  struct State;
  awaitable<Result<std::vector<Result<Submitted>>>> submit_all(std::vector<Result<SubmitArgs>> items,
                                                               domain::BatchId batch);
  std::unique_ptr<State> state_;
};

}  // namespace mahavishnu::control
