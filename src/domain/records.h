// What is written to the journal, and what is read back: the facts, as plain values.
//
// A commit is an ordered list of records under one CommitNo; the journal makes all of it durable or
// none of it. Reads are built from committed records only, so nothing newer than disk is ever shown.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "domain/types.h"

namespace mahavishnu::domain {

using CommitNo = std::uint64_t;

struct AttemptRecord {
  TaskId task;
  std::uint32_t number = 0;  // 1 is the first
  Fence fence;
  std::string worker;        // pool name and slot, "default/3"
  std::string node;          // host name
  WallTime started{};
  std::optional<WallTime> ended;
  std::optional<int> exit_code;
  std::optional<int> signal;
  Reason reason = Reason::None;
  int processes_left = 0;
};

// The end of an attempt's output and what else it left. Written with the completion.
struct TaskResult {
  std::string text;                 // the last 8 KiB of output at most, valid UTF-8
  std::string streams;              // whose bytes `text` holds, run by run: "o120e15o3" (out, err)
  bool truncated = false;           // `text` is not all of it
  std::uint64_t output_bytes = 0;   // produced
  std::uint64_t dropped_bytes = 0;  // beyond limits.output_bytes: gone
  std::string spool;                // file with the kept output when it is more than `text`
  std::string message;              // one sentence on why it failed, or on what is left out of it
  std::vector<std::string> unenforced;  // limits asked for that this machine cannot enforce
  std::string structured;           // JSON a tool answered with, "" when none; kMostStructured
};

// Bytes of TaskResult::structured at most. What is longer is left out, and `message` says so.
inline constexpr std::size_t kMostStructured = 16384;

// The part of a task that changes. `version` grows with every change that is recorded.
struct TaskStatus {
  TaskState state = TaskState::Queued;
  Reason reason = Reason::None;  // running and cancelled_by_caller: it was asked to end
  std::uint32_t attempt = 0;
  std::uint64_t version = 1;
  std::optional<WallTime> started;    // first attempt
  std::optional<WallTime> ended;
  std::optional<WallTime> due;        // retry_wait or not_before: when it may run
  Millis queue_time{0};               // waited so far, all attempts
  Millis run_time{0};
};

struct TaskRecord {
  TaskId id;
  PoolId pool;
  std::string pool_name;
  BatchId batch;                      // null: none
  std::uint32_t batch_index = 0;
  WorkflowId workflow;                // null: none
  std::string step;
  WallTime created{};
  std::shared_ptr<const TaskSpec> spec;
  TaskStatus status;
  std::optional<TaskResult> result;
  std::vector<AttemptRecord> attempts;  // filled by reads
};

struct WorkflowStatus {
  WorkflowState state = WorkflowState::Pending;
  std::uint64_t version = 1;
  int total = 0, queued = 0, running = 0, completed = 0, failed = 0, cancelled = 0, skipped = 0;
  std::optional<WallTime> started;
  std::optional<WallTime> ended;
};

struct WorkflowRecord {
  WorkflowId id;
  WallTime created{};
  std::shared_ptr<const WorkflowSpec> spec;
  WorkflowStatus status;
};

struct PoolRecord {
  PoolId id;
  PoolSpec spec;
  PoolState state = PoolState::Running;
  int target_workers = 0;
  bool paused = false;
  WallTime created{};
};

// What one commit can hold. Admissions carry the whole payload, changes only what changed.
struct PoolPut { PoolRecord pool; };
struct PoolRemoved { PoolId pool; };
struct TaskAdmitted { TaskRecord task; };
struct TaskChanged {
  TaskId task;
  WorkflowId workflow;  // null: none. So that waiters of the workflow wake as well
  TaskStatus status;
  std::optional<TaskResult> result;  // with a terminal state
  BatchId batch{};                   // null: none. So that who watches the batch is told
};
struct AttemptPut { AttemptRecord attempt; };
struct WorkflowAdmitted { WorkflowRecord workflow; };
struct WorkflowChanged {
  WorkflowId workflow;
  WorkflowStatus status;
};

using Record = std::variant<PoolPut, PoolRemoved, TaskAdmitted, TaskChanged, AttemptPut,
                            WorkflowAdmitted, WorkflowChanged>;

// What a start finds on disk. Ended tasks are not in it, unless a live one depends on them or they
// belong to a workflow that has not ended; of their specification only the repository need be there.
struct Snapshot {
  std::uint64_t epoch = 0;  // of this start; already durable
  std::vector<PoolRecord> pools;
  std::vector<WorkflowRecord> workflows;  // not ended
  std::vector<TaskRecord> tasks;          // in the order they were admitted
};

}  // namespace mahavishnu::domain
