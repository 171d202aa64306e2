// What the core is made of, and the steps that several families of events share.
//
// Only the core_*.cpp files and explain.cpp include this. Each family of events has its own file;
// what they share is in core_tasks.cpp (a task's way from held to ended) and core_commits.cpp (what
// waits for the disk). The parts (queues, ledger, selector, planner) know nothing of each other.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "domain/core.h"
#include "domain/dependencies.h"
#include "domain/flat_index.h"
#include "domain/key_memory.h"
#include "domain/ledger.h"
#include "domain/live_task.h"
#include "domain/names.h"
#include "domain/outcome_memory.h"
#include "domain/planner.h"
#include "domain/pool_queue.h"
#include "domain/pool_selector.h"
#include "domain/retry.h"
#include "domain/timers.h"
#include "domain/worker_set.h"

namespace mahavishnu::domain {

// What every task of the pool touches comes first and shares two cache lines.
struct alignas(kCacheLine) LivePool {
  PoolId id;
  int target = 0;
  std::uint32_t queued = 0, running = 0, delayed = 0;
  std::uint32_t before = kNone, after = kNone;  // in the ring of pools that can place
  bool in_ring = false;
  bool durable = false;  // its admission is on disk
  bool paused = false;
  bool draining = false;
  WorkerSet workers;  // taken
  std::uint64_t completed = 0;
  PoolSpec spec;
  std::uint64_t failed = 0, retries = 0;
  WallTime created{};
};

// How a cell of a workflow came out. Allowed: failed, but its step says to continue. Idle: it had
// nothing to do (when: failed, and nothing did).
enum class CellEnd : std::uint8_t { Open, Completed, Allowed, Failed, Cancelled, Skipped, Idle };

struct LiveFlow {
  WorkflowId id;
  WallTime created{};
  Plan plan;
  std::vector<std::uint32_t> tasks;  // by cell; kNone once it has left
  std::vector<CellEnd> ends;         // by cell
  std::vector<bool> stopped;         // by repository: no further step starts there
  bool stopped_all = false;
  bool cancelling = false;
  bool limited = false;  // max_parallel
  bool durable = false;
  bool touched = false;  // its counts changed in this step
  bool over = false;     // its end is written
  std::uint32_t settled = 0;
  std::uint32_t key = kNone;
  WorkflowStatus status;
};

struct Core::State {
  struct Explainer;  // explain.cpp
  explicit State(CoreOptions options);

  // ── One step ──
  void on(const Restored& event);
  void on(const SubmitTasks& event);
  void on(const SubmitWorkflow& event);
  void on(const SpawnPool& event);
  void on(const ScalePool& event);
  void on(const ClosePool& event);
  void on(const CancelTasks& event);
  void on(const CancelMatching& event);
  void on(const CancelWorkflow& event);
  void on(const AttemptStarted& event);
  void on(const AttemptEnded& event);
  void on(const Persisted& event);
  void on(const PersistFailed& event);
  void on(const TimerDue& event);
  void on(const Hold& event);
  void on(const Drain& event);
  Effects finish_step();

  // ── core_commits.cpp: facts, and what waits for them ──
  struct Pending {
    enum class Kind : std::uint8_t { Done, Task, Flow, Pool, Settle, Release, FlowEnd, Ticket };
    CommitNo commit = 0;
    Kind kind = Kind::Done;
    std::uint32_t slot = kNone;
    base::Ulid id;  // of the task, workflow or pool in the slot then
    Fence fence;
    Ticket ticket = 0;
  };
  void record(Record&& fact);
  void keep_together(std::size_t records);  // the next ones are to be in one commit
  CommitNo commit() const;                  // of the last record of this step; 0: none
  void after_commit(Pending pending);       // `commit` 0: that of the last record
  void reply(Ticket ticket, decltype(Reply::body) body, CommitNo after);
  void durable(const Pending& pending);
  void undo(const Pending& pending, const Error& error);
  void undo_task(std::uint32_t task);
  void undo_flow(std::uint32_t flow);
  void undo_reply(Ticket ticket, CommitNo failed, const Error& error);

  // ── core_tasks.cpp: a task from held to ended ──
  std::uint32_t find_task(TaskId id) const;
  std::uint32_t add_task(TaskId id, const TaskSpec& spec, std::uint32_t pool);
  void drop_task(std::uint32_t task);  // it has left
  void count(std::uint32_t task, Bucket bucket);
  void advance(std::uint32_t task);  // held: on to the queue, to its due time or to its end
  void enqueue(std::uint32_t task);
  void finish(std::uint32_t task, TaskState state, Reason reason, const TaskResult* result);
  void settle(std::uint32_t task);
  void cancel(std::uint32_t task);
  void stop_attempt(std::uint32_t task, Reason why);
  void set_timer(std::uint32_t task);
  void fire(std::uint32_t task);
  Claim claim_of(const LiveTask& task) const;
  TaskStatus status_of(const LiveTask& task) const;
  void record_change(std::uint32_t task, const TaskResult* result);
  MonoTime due_at(Millis from_now) const;
  MonoTime due_at(WallTime at) const;

  // ── core_cancel.cpp ──
  CommitNo end_of_task(std::uint32_t task) const;

  // ── core_attempts.cpp ──
  void dispatch();
  void place(std::uint32_t task);
  void fetch_around(const LiveTask& task) const;
  void begin_attempt(std::uint32_t task, Fence fence);            // takes the capacity
  void end_attempt(std::uint32_t task, const AttemptEnded& end);  // gives it back
  void give_back(std::uint32_t task);
  void decide(std::uint32_t task, Reason reason, const TaskResult* result);
  AttemptRecord attempt_record(const LiveTask& task) const;
  std::uint32_t find_fence(Fence fence) const;
  StringMap environment(const LiveTask& task) const;

  // ── core_submit.cpp ──
  Status may_admit(std::size_t tasks) const;
  Result<std::uint32_t> choose_pool(const TaskSpec& spec, bool waits);
  Error no_pool(const TaskSpec& spec) const;
  Error pool_full(const LivePool& pool) const;
  Status key_is_free(const std::string& key, const std::optional<MonoTime>& sought) const;
  Result<SubmittedTasks::Item> admit(const SubmitTasks& event, std::uint32_t index);
  CommitNo answer_after(Ticket ticket, const SubmittedTasks& answer, std::vector<CommitNo> others);
  struct Needs {
    std::vector<std::uint32_t> live;
    bool failed = false;
  };
  Result<Needs> needs_of(const NewTask& task) const;
  void record_admission(std::uint32_t task, const std::shared_ptr<const TaskSpec>& spec,
                        const std::string& step, std::uint32_t batch_index);

  // ── core_workflows.cpp ──
  Status admit_flow(const SubmitWorkflow& event, Plan plan);
  std::uint32_t add_flow(WorkflowId id, const WorkflowSpec& spec, Plan plan);
  Result<std::uint32_t> pool_of_cell(const LiveFlow& flow, Plan::Cell cell, const TaskSpec& spec);
  std::uint32_t open_needs(const LiveFlow& flow, Plan::Cell cell) const;
  void drop_flow(std::uint32_t flow);
  CellEnd end_of(const LiveTask& task, const LiveFlow& flow) const;
  void settle_cell(std::uint32_t flow, std::uint32_t cell, CellEnd end);
  void stop_after(std::uint32_t flow, std::uint32_t cell);
  void stop_cells(std::uint32_t flow, std::uint32_t repo);  // kNone: everywhere
  void decide_cell(std::uint32_t flow, std::uint32_t cell);
  CellEnd verdict(const LiveFlow& flow, Plan::Cell cell) const;  // Open: it runs
  void skip_cell(std::uint32_t task, CellEnd end);
  WorkflowState final_state(const LiveFlow& flow) const;
  void touch(std::uint32_t flow);
  void record_flows();
  std::uint32_t find_flow(WorkflowId id) const;

  // ── core_pools.cpp ──
  std::uint32_t find_pool(PoolId id) const;
  std::uint32_t add_pool(PoolId id, const PoolSpec& spec);
  void drop_pool(std::uint32_t pool);
  void pool_changed(std::uint32_t pool);  // its load, or whether it takes or places work
  bool can_place(const LivePool& pool, std::uint32_t slot) const;
  void close_if_empty(std::uint32_t pool);
  PoolRecord record_of(const LivePool& pool) const;
  PoolState state_of(const LivePool& pool) const;
  PoolStatus status_of(std::uint32_t pool) const;
  void enter_ring(std::uint32_t pool);
  void leave_ring(std::uint32_t pool);

  // ── core_restore.cpp ──
  void restore_pool(const PoolRecord& record);
  void restore_flow(const WorkflowRecord& record);
  void restore_ended(const TaskRecord& record);
  void restore_task(const TaskRecord& record);
  std::uint32_t pool_for(const TaskRecord& record);
  std::uint32_t cell_for(std::uint32_t flow, const TaskRecord& record) const;
  void restore_cells(std::uint32_t flow);
  void restore_needs(const TaskRecord& record);
  void restore_attempt(const Restored::Found& found);
  void resume(const TaskRecord& record);

  CoreOptions options;
  Moment now;
  Chance chance{0};
  Effects effects;
  std::size_t commits_in_step = 0;
  bool admitting = false;  // this step's commit is an admission
  CommitNo last_commit = 0;
  std::uint64_t epoch = 0, fence_counter = 0;
  bool draining = false, held = false;
  MonoTime announced = MonoTime::max();
  CoreCounts totals;

  Tasks tasks;
  FlatIndex task_index, fence_index, pool_index, flow_index;
  Names repos, callers, labels;
  Ledger ledger;
  PoolQueues queues;
  PoolSelector selector;
  Dependencies dependencies;
  Timers timers;
  KeyMemory keys;
  OutcomeMemory outcomes;
  Slab<LivePool> pools;
  std::map<std::string, std::uint32_t, std::less<>> pool_names;
  std::uint32_t ring = kNone;  // the pool that may place next
  Slab<LiveFlow> flows;
  std::vector<std::uint32_t> touched_flows;
  std::vector<std::uint32_t> requeued;  // back from retry_wait in this step
  std::deque<Pending> pending;          // by commit
  // Submits that also met keys whose admission was not on disk: their answer may have to change.
  struct Mixed {
    SubmittedTasks answer;
    std::vector<CommitNo> admissions;  // by item: of another submit, 0 for the rest
    CommitNo after = 0;
  };
  std::map<Ticket, Mixed> mixed;
  // While restoring: where a workflow's repositories are in its plan.
  std::vector<std::map<std::string, std::uint32_t>> repo_numbers;
  std::unordered_map<TaskId, bool> ended_before;  // completed; looked up, never iterated
};

inline std::uint64_t hash_id(const base::Ulid& id) {
  return mix64(id.low ^ (id.high * 0x9E3779B97F4A7C15ULL));
}

}  // namespace mahavishnu::domain
