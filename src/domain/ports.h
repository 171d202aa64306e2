// What the core's shell needs from outside, as small interfaces with fakes in tests/support.
//
// Every callback is delivered on the control thread (the implementation posts it there) and exactly
// once, unless the port was stopped first. `stop()` is idempotent; after it no callback comes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "domain/events.h"
#include "domain/records.h"

namespace mahavishnu::domain {

// The system of record, write side. Commits are made durable in the order they were appended, many
// in one transaction (group commit). Bounded: `append` on a full queue reports Exhausted.
class Journal {
 public:
  using Done = std::function<void(CommitNo, Status)>;
  virtual ~Journal() = default;

  // `done` is called with the commit's number once it is durable, or failed as a whole. An error
  // Exhausted means the disk is full. Several commits in a row may be reported one after another.
  // `records` is shared, so that a commit that failed can be tried again without a copy. Trying again
  // may bring a commit after newer ones: a TaskChanged or WorkflowChanged whose version is not newer
  // than the stored one changes nothing, and an AttemptPut never takes an end back. A change of what
  // is not there changes nothing: its admission has failed.
  virtual void append(CommitNo commit, std::shared_ptr<const std::vector<Record>> records) = 0;
  virtual void on_done(Done done) = 0;
};

struct Page {
  int limit = 50;
  std::string cursor;  // opaque; empty: from the start
};

template <class T>
struct Listing {
  std::vector<T> items;
  std::string next_cursor;  // empty: that was all
};

struct TaskFilter {
  std::vector<TaskState> states;
  std::optional<Reason> reason;
  PoolId pool;
  WorkflowId workflow;
  BatchId batch;
  std::string repo;
  std::string step;
  std::string caller;
  std::string label_key, label_value;
  std::optional<WallTime> since;
  bool oldest_first = false;
  bool failures_first = false;  // for workflow_get: failed and dead before the others
};

struct WorkflowFilter {
  std::optional<WorkflowState> state;
  std::string name;
  std::optional<WallTime> since;
};

// The system of record, read side: committed facts only, on connections and threads of its own, each
// read limited in time (Deadline).
class Archive {
 public:
  template <class T>
  using Answer = std::function<void(Result<T>)>;
  virtual ~Archive() = default;

  virtual void task(TaskId id, Answer<TaskRecord> answer) = 0;            // NotFound
  virtual void workflow(WorkflowId id, Answer<WorkflowRecord> answer) = 0;  // NotFound
  virtual void tasks(TaskFilter filter, Page page, Answer<Listing<TaskRecord>> answer) = 0;
  virtual void workflows(WorkflowFilter filter, Page page, Answer<Listing<WorkflowRecord>> answer) = 0;
  // The task or workflow an idempotency key of this caller named; null ids when none.
  struct Keyed {
    TaskId task;
    WorkflowId workflow;
  };
  virtual void by_key(std::string caller, std::string key, Answer<Keyed> answer) = 0;
};

struct AttemptOrder {
  TaskId task;
  std::uint32_t attempt = 0;
  Fence fence;
  Work work;              // env already merged: allow-list, pool, task, MAHAVISHNU_*
  std::string cwd;        // absolute; "" : a scratch folder the executor makes and removes
  Timeouts timeouts;      // start, idle, run; total as `total_left`
  Millis total_left{0};
  Millis grace{5000};     // TERM to KILL
  PoolSettings settings;  // of its pool
  // The program is this one and calls a tool: asked to end, it alone is told, for it ends what it
  // has started by itself; and what the tool answered comes by its report (workers/report.h).
  bool calls_tool = false;
};

// One chunk of an attempt's output, in the order it was read from the pipes.
struct OutputChunk {
  std::string text;             // raw bytes made valid UTF-8
  std::uint64_t next_offset = 0;
  bool eof = false;             // the attempt ended and this reaches the end
  std::uint64_t dropped_bytes = 0;
};

enum class OutputStream : std::uint8_t { All, Stdout, Stderr };

// Runs attempts of one worker type. The attempt contract of docs/guarantees.md: one start per fence,
// exactly one `ended` per started fence, stop() leads to ended with the given reason and 0 processes.
class Executor {
 public:
  struct Events {
    std::function<void(Fence)> started;
    std::function<void(AttemptEnded)> ended;
    std::function<void(Fence, std::uint64_t output_bytes)> output;  // grew; at most some 5 times a second
  };
  virtual ~Executor() = default;

  virtual void subscribe(Events events) = 0;
  // Attempts of a former life that are alive or ended unseen. Called once, before any start; waits
  // until nothing of a former life can still start one. After it they report through Events.
  virtual void recover(std::function<void(Result<std::vector<Restored::Found>>)> answer) = 0;
  virtual void start(AttemptOrder order) = 0;
  virtual void stop(Fence fence, Reason why) = 0;
  virtual void release(Fence fence) = 0;
  // From now on so many workers of this pool, those at work among them, are up before there is work
  // for them, as far as the machine allows; 0: as for a pool that is gone.
  virtual void keep_ready(PoolId pool, int workers) = 0;
  // Once those are up, which may be never: whoever waits sets a limit.
  virtual void when_ready(std::function<void()> then) = 0;
  // Output of a live attempt. `offset` < 0: the last max_bytes.
  virtual void read_output(Fence fence, OutputStream stream, std::int64_t offset, std::size_t max_bytes,
                           std::function<void(Result<OutputChunk>)> answer) = 0;
  // Output of an ended one, from the spool file its result names. NotFound: it is kept no longer.
  virtual void read_spool(std::string spool, OutputStream stream, std::int64_t offset,
                          std::size_t max_bytes, std::function<void(Result<OutputChunk>)> answer) = 0;
  // What keeps any work of this pool from running here, as far as that can be seen without running
  // it ("the command \"x\" is not there"), in one sentence; "" : nothing. `env`: what its work gets
  // of the server's environment and the pool's.
  virtual void examine(PoolSpec pool, StringMap env,
                       std::function<void(Result<std::string>)> answer) = 0;
  // Bytes of memory that each of these holds with all it started, in their order (pages that several
  // processes share count in each of them); 0: nothing runs. Unavailable: that cannot be told here.
  virtual void resident(std::vector<Fence> fences,
                        std::function<void(Result<std::vector<std::int64_t>>)> answer) = 0;
};

}  // namespace mahavishnu::domain
