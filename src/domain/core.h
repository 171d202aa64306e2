// The pure core: the state machine of every live task, workflow and pool.
//
// It owns the queues, the ledger, the dependencies and the retry clock. It does no I/O, takes no
// time and no chance, holds no lock and iterates no unordered container: equal events give equal
// effects, so a run can be replayed. It knows nothing of payloads (they stay in the journal; at most
// about 256 bytes of a live task are kept here) nor of tasks that have ended and were settled.
// One thread. See docs/architecture.md for the life of a task.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/events.h"
#include "domain/types.h"

namespace mahavishnu::domain {

struct CoreOptions {
  int max_running = 0;                    // attempts at once in the whole server; 0: no limit
  int max_live_tasks = 1000000;           // beyond it submits are refused (Exhausted)
  int max_pools = 10000;
  Millis aging{60000};                    // a queued task gains one priority in this time
  Millis key_memory{600000};              // how long an ended task's idempotency key stays here
  Millis stop_grace{5000};                // TERM to KILL (told to the executor by the shell)
};

struct PoolStatus {
  PoolRecord record;
  int total = 0, busy = 0, idle = 0;      // slots
  int queued = 0, running = 0;
  int delayed = 0;                        // not_before, retry_wait, dependencies
  std::optional<WallTime> oldest_queued;
  std::uint64_t completed = 0, failed = 0, retries = 0;  // in this life
};

// Why a thing is where it is, in one sentence and as structure.
struct Explanation {
  std::string state;
  std::string sentence;
  std::string blocked_by;   // "", "dependency", "pool_full", "pool_paused", "repo_busy",
                            // "workflow_limit", "server_limit", "not_before", "retry_wait", "draining"
  int ahead = 0;            // tasks that will be placed before it, as things stand
  std::vector<std::string> waits_for;  // ids or names
};

struct CoreCounts {
  std::uint64_t live = 0, queued = 0, running = 0, delayed = 0, pools = 0, workflows = 0;
  std::uint64_t admitted = 0, refused = 0, completed = 0, failed = 0, cancelled = 0, dead = 0;
  std::uint64_t retries = 0, stale_completions = 0;
};

class Core {
 public:
  explicit Core(CoreOptions options);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  Effects step(const Event& event, Moment now);

  // How many tasks a workflow is: steps × repositories, `once` steps counted once. An Error when the
  // graph is not one (unknown or duplicate step, cycle, nothing to run over).
  static Result<std::size_t> cells_of(const WorkflowSpec& spec);

  // The pool a name or an id means; NotFound names the known ones nearest to it.
  Result<PoolId> find_pool(std::string_view name_or_id) const;
  std::optional<PoolStatus> pool(PoolId id) const;
  const PoolSpec* spec_of(PoolId id) const;  // null: no such pool; good until the next step
  std::vector<PoolStatus> pools() const;  // by name
  std::vector<std::string> names_of(std::string_view worker_type) const;  // of such pools

  bool is_live(TaskId id) const;
  std::optional<Explanation> explain(TaskId id, Moment now) const;  // nullopt: not live
  std::optional<Explanation> explain(PoolId id, Moment now) const;
  std::optional<Explanation> explain(WorkflowId id, Moment now) const;

  CoreCounts counts() const;

  // Checks every invariant the simulation relies on (ledger equals what runs, no task twice in a
  // queue, …). Empty when all hold; otherwise the first that does not. O(live); tests only.
  std::string check() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mahavishnu::domain
