// The core's input and output: events in, effects out.
//
// `Core::step(event, moment)` returns effects and performs none of them. The shell (`control`) turns
// calls, port completions and timers into events and carries the effects out in their order.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "domain/records.h"
#include "domain/types.h"

namespace mahavishnu::domain {

// The time and the chance of one step. The core takes neither by itself.
struct Moment {
  WallTime wall{};
  MonoTime mono{};
  std::uint64_t entropy = 0;
};

// Names a call that waits for a Reply. Given by the shell, never 0.
using Ticket = std::uint64_t;

// ── Events ───────────────────────────────────────────────────────────────────────────────────────

struct Restored {  // first event of a life
  Snapshot snapshot;
  // Attempts the executors found alive or ended since the last life; each will report again.
  struct Found {
    TaskId task;
    std::uint32_t attempt = 0;
    Fence fence;
  };
  std::vector<Found> attempts;
};

// A dependency must be live in the core, earlier in the same submit, or named here as the archive
// knows it; a task with any other one is refused (NotFound). So the shell asks the archive about
// those of spec->depends_on for which Core::is_live is false, right before the step.
struct NewTask {
  TaskId id;
  std::shared_ptr<const TaskSpec> spec;
  // Of spec->depends_on, those that had left the core before: the shell asked the archive. Any other
  // dependency the core does not know either settled while the shell asked, so the core also keeps
  // the outcome of the last 65,536 that ended; one it still does not know is refused (NotFound).
  std::vector<TaskId> settled_completed;
  std::vector<TaskId> settled_failed;  // the task ends at once as dependency_failed
  std::uint32_t place = 0;  // in the batch as it was handed in, refused items counted
};
// One commit; each item is admitted or refused by itself.
struct SubmitTasks {
  Ticket ticket = 0;
  BatchId batch;  // null: none
  std::vector<NewTask> tasks;
  // When the archive was begun to be asked for their idempotency keys, which it did not know; not
  // set: in this moment.
  std::optional<MonoTime> keys_sought{};
};

struct SubmitWorkflow {
  Ticket ticket = 0;
  WorkflowId id;
  std::shared_ptr<const WorkflowSpec> spec;
  std::vector<TaskId> ids;  // one a cell: Core::cells_of(spec) of them
  std::optional<MonoTime> key_sought{};  // as in SubmitTasks
};

struct SpawnPool {
  Ticket ticket = 0;
  PoolId id;
  PoolSpec spec;
};
struct ScalePool {
  Ticket ticket = 0;
  PoolId pool;
  std::optional<int> target_workers;
  std::optional<bool> paused;
};
struct ClosePool {
  Ticket ticket = 0;
  PoolId pool;
  bool now = false;  // cancel what is queued and running instead of draining
};

struct CancelTasks {
  Ticket ticket = 0;
  std::vector<TaskId> tasks;  // live ones; those unknown to the core are reported already_ended
};
// Cancels every live task the filter meets; empty fields meet everything.
struct CancelMatching {
  Ticket ticket = 0;
  PoolId pool;
  WorkflowId workflow;
  BatchId batch;
  std::string repo;
  std::string caller;
  std::string label_key, label_value;
};
struct CancelWorkflow {  // one that is not live: an empty CancelAnswer
  Ticket ticket = 0;
  WorkflowId workflow;
};

struct AttemptStarted {
  Fence fence;
};
struct AttemptEnded {
  Fence fence;
  Reason reason = Reason::None;  // why it ended: Ok, ExitCode, Signal, TimedOut, IdleTimeout, Lost, …
  std::optional<int> exit_code;
  std::optional<int> signal;
  int processes_left = 0;
  TaskResult result;
};

struct Persisted {  // everything up to and including `commit` is on disk
  CommitNo commit = 0;
};
struct PersistFailed {  // this one commit is not, and will not be; only admissions fail this way
  CommitNo commit = 0;
  Error error;
};

struct TimerDue {};
struct Hold {  // while on, start nothing: the journal cannot write, so ends could not be kept
  bool on = false;
};
struct Drain {};  // admit nothing more, start nothing more (queued work stays on disk)

using Event = std::variant<Restored, SubmitTasks, SubmitWorkflow, SpawnPool, ScalePool, ClosePool,
                           CancelTasks, CancelMatching, CancelWorkflow, AttemptStarted, AttemptEnded,
                           Persisted, PersistFailed, TimerDue, Hold, Drain>;

// ── Effects ──────────────────────────────────────────────────────────────────────────────────────

// Write these. `admission` commits may fail (PersistFailed) and are then undone; all others are kept
// by the shell and tried again until they are on disk.
struct Persist {
  CommitNo commit = 0;
  bool admission = false;
  std::vector<Record> records;
};

struct SubmittedTasks {
  struct Item {
    TaskId id;              // of the task, or of the one an idempotency key already named
    bool existing = false;
    std::optional<Error> refused;
  };
  std::vector<Item> items;
};
struct SubmittedWorkflow {
  WorkflowId id;
  bool existing = false;
};
struct PoolAnswer {
  PoolId id;
  bool existing = false;
};
struct CancelAnswer {
  std::vector<TaskId> cancelled;      // asked to end now; the shell waits for their end if asked to
  std::vector<TaskId> already_ended;
};
// Answer `ticket` once `after` is on disk (0: at once). A second Reply to the same ticket replaces
// the first: it comes when the commit the first one waits for failed.
struct Reply {
  Ticket ticket = 0;
  CommitNo after = 0;
  std::variant<Error, SubmittedTasks, SubmittedWorkflow, PoolAnswer, CancelAnswer> body;
};

// Read the payload, then start it on the executor of `worker_type`. Only for admissions on disk.
struct StartAttempt {
  TaskId task;
  std::uint32_t attempt = 0;
  Fence fence;
  PoolId pool;
  std::string worker;
  Millis queue_time{0};      // waited since it was last made eligible
  Millis total_left{0};      // 0: no total limit
  StringMap env;             // what the core adds: MAHAVISHNU_WORKFLOW, _STEP, counts for `once` steps
};
struct StopAttempt {
  Fence fence;
  Reason why = Reason::None;  // reported back in AttemptEnded
};
// The attempt's end is on disk: the executor may drop what it kept of it.
struct ReleaseAttempt {
  Fence fence;
};
struct WakeAt {  // replaces any earlier one; a TimerDue that comes too early does no harm
  MonoTime at{};
};
struct WorkflowEnded {  // after its last record; for the log, the bus and notifications
  WorkflowId workflow;
};

using Effect = std::variant<Persist, Reply, StartAttempt, StopAttempt, ReleaseAttempt, WakeAt, WorkflowEnded>;
using Effects = std::vector<Effect>;

}  // namespace mahavishnu::domain
