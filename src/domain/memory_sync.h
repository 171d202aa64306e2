// Sending memories to the memory server (Session Buddy), as a port: how that goes, and searching
// what is there.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/breaker.h"
#include "domain/memories.h"
#include "domain/outbox.h"

namespace mahavishnu::domain {

struct SyncStatus {
  enum class State : std::uint8_t {
    Off,   // no memory server is configured
    Idle,  // all that could be sent is sent; nothing is asked of anybody
    Sending,
    Waiting,  // for a retry to come due
    Down,     // its breaker is not closed
  };
  State state = State::Off;
  std::string target;  // "http://127.0.0.1:8678"
  std::string spoken;  // "mcp 2025-06-18, store_reflection"; "" before the first contact
  OutboxCounts outbox;
  std::int64_t in_flight = 0;
  std::uint64_t sent = 0;      // calls since the start …
  std::uint64_t accepted = 0;  // … and how they came out
  std::uint64_t retried = 0;   // are to be, or were, tried again
  std::uint64_t died = 0;
  BreakerState breaker = BreakerState::Closed;
  Millis retry_in{0};      // until the breaker lets a probe through
  std::string last_error;  // "" when there was none
  WallTime last_error_at{};
};
std::string_view to_string(SyncStatus::State state);

struct SyncRequest {
  bool retry_dead = false;  // dead letters are waiting again
  Millis wait{0};           // for all that waits to be sent, at most
};

struct RemoteHit {
  std::string id;  // "" where the server tells none
  double score = 0;
  std::string title;
  std::string snippet;
};

// Every answer comes on the control thread; after the implementation's `stop` none does.
class MemorySync {
 public:
  template <class T>
  using Answer = std::function<void(Result<T>)>;
  virtual ~MemorySync() = default;

  // What waits is tried at once, unless the breaker is open.
  virtual void sync(SyncRequest request, Answer<SyncStatus> answer) = 0;
  // Unavailable: there is no memory server, it is not called for now, or it has no search;
  // Deadline.
  virtual void search(std::string words, int limit, Answer<std::vector<RemoteHit>> answer) = 0;
};

}  // namespace mahavishnu::domain
