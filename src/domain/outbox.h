// The outbox: memories that the memory server (Session Buddy) has not accepted yet, as a port.
//
// A memory is in it from the commit that leaves it, in the order of those commits, until the server
// has accepted it or it is let go of. It is read by one thread, which a read may hold up; outcomes
// are written with the journal's other commits.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domain/memories.h"

namespace mahavishnu::domain {

struct OutboxItem {
  std::int64_t seq = 0;  // grows with every memory
  int tries = 0;         // that counted against it
  Memory memory;         // redacted
};

struct OutboxOutcome {
  enum class Kind : std::uint8_t {
    Accepted,  // it leaves the outbox
    Tried,     // it stays
    Dead,      // it stays, and is not tried again before revive()
  };
  std::int64_t seq = 0;
  Kind kind = Kind::Accepted;
  int tries = 0;
  std::string error;
};

struct OutboxCounts {
  std::int64_t waiting = 0;
  std::int64_t dead = 0;
  std::optional<WallTime> oldest;  // of those that wait, when it became a memory
};

class Outbox {
 public:
  virtual ~Outbox() = default;

  // Those after `after` that are not dead, in their order. Memories that were let go of meanwhile
  // are left out. On the reader's thread.
  virtual Result<std::vector<OutboxItem>> next(std::int64_t after, int limit) = 0;
  virtual Result<std::optional<OutboxItem>> find(std::int64_t seq) = 0;  // nullopt: it is gone
  virtual Result<OutboxCounts> counts() = 0;

  // Any thread. `done` comes on the journal's thread, once: on disk, or not written.
  virtual void settle(std::vector<OutboxOutcome> outcomes, std::function<void(Status)> done) = 0;
  // Dead ones are waiting again, as if they had not been tried.
  virtual void revive(std::function<void(Status)> done) = 0;
  // Called on the journal's thread when there is more in it; before the first use.
  virtual void on_grew(std::function<void()> told) = 0;
};

}  // namespace mahavishnu::domain
