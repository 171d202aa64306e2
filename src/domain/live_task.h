// What the core keeps of a live task: everything it decides by, and nothing it merely carries.
//
// The payload stays in the journal. Names are interned, durations are numbers, lists run through
// the tasks themselves, so that a million waiting tasks cost 256 MB at most.
#pragma once

#include <cstdint>

#include "domain/slab.h"
#include "domain/types.h"

namespace mahavishnu::domain {

// Where a task is. More than TaskState says: a queued task may be held by its admission, by a
// dependency or by not_before, and an ended one stays until its end is on disk.
enum class Place : std::uint8_t { Held, Queue, Running, RetryWait, Ended };

// Which of its pool's counters a task is in.
enum class Bucket : std::uint8_t { None, Queued, Running, Delayed };

struct LiveTask {
  TaskId id;
  BatchId batch;
  Fence fence;  // of the running attempt, or of the last one
  WallTime created{};
  WallTime started{};   // first attempt; zero: none yet
  MonoTime since{};     // Held and RetryWait: when it is due; Queue: eligible; Running: started
  MonoTime total_at{};  // MonoTime::max(): no total limit
  Millis queue_limit{0};
  Millis start_limit{0};
  Millis queue_time{0};
  Millis run_time{0};
  Millis backoff{0};
  Millis max_backoff{0};
  float factor = 2.0F;
  float jitter = 1.0F;
  std::uint64_t order = 0;  // its turn within its band and caller
  std::uint32_t max_attempts = 1;
  std::uint32_t attempt = 0;
  std::uint32_t version = 1;
  std::uint32_t max_per_repo = 1;

  std::uint32_t pool = kNone;
  std::uint32_t share = kNone;   // of its caller in its pool
  std::uint32_t lane = kNone;    // while in Place::Queue
  std::uint32_t caller = kNone;  // Names
  std::uint32_t repo = kNone;    // Names
  std::uint32_t labels = kNone;  // Names: "key\x1Fvalue\x1E…"
  std::uint32_t key = kNone;     // KeyMemory
  std::uint32_t flow = kNone;    // its workflow
  std::uint32_t cell = 0;
  std::uint32_t worker = kNone;                  // slot in the pool while it runs
  std::uint32_t waits = 0;                       // dependencies that have not settled
  std::uint32_t needs = kNone;                   // edges to what it depends on
  std::uint32_t feeds = kNone;                   // edges to what depends on it
  std::uint32_t timer = kNone;                   // position among the timers
  std::uint32_t previous = kNone, next = kNone;  // in its lane's band
  std::uint32_t earlier = kNone, later = kNone;  // arrivals of its priority

  TaskState state = TaskState::Queued;
  Reason reason = Reason::None;
  Reason stopping = Reason::None;  // why a StopAttempt was sent
  Place place = Place::Held;
  Bucket bucket = Bucket::None;
  std::uint8_t priority = kDefaultPriority;
  std::uint8_t band = kDefaultPriority;
  bool durable : 1 = false;     // its admission is on disk
  bool doomed : 1 = false;      // a dependency did not complete
  bool up : 1 = false;          // AttemptStarted came
  bool idle_skip : 1 = false;   // a cell that had nothing to do, which is no failure
  bool cancelling : 1 = false;  // the caller asked for its end
  bool in_flow : 1 = false;     // its workflow counts it as running
};

static_assert(sizeof(LiveTask) <= 256, "a live task is to stay within 256 bytes");

using Tasks = Slab<LiveTask>;

}  // namespace mahavishnu::domain
