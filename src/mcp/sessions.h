// Sessions of the legacy eras over HTTP: what `initialize` agreed on, until DELETE or idleness.
//
// An id is 128 bits of the system's randomness and works only for the caller that made it. Bounded:
// past `most` the least recently used one goes. Time is given. One executor.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "mcp/calls.h"
#include "mcp/eras.h"
#include "mcp/peer.h"
#include "mcp/replay.h"

namespace mahavishnu::mcp {

struct Session : Peer {
  std::string id;
  std::string caller;
  Revision revision = kNewestLegacy;
  base::MonoTime used;
  CallTable calls;
  // The stream on which it is told of changes, while there is one.
  std::weak_ptr<RunningCall> stream;
  std::shared_ptr<Replay> replay;  // made with its first stream
};

class Sessions {
 public:
  Sessions(std::size_t most, base::Millis idle) : most_(most), idle_(idle) {}

  std::shared_ptr<Session> open(std::string caller, Revision revision, base::MonoTime now);

  // nullptr: unknown, ended, idle for too long, or another caller's. A call in flight keeps what it
  // was given, also when the session ends.
  std::shared_ptr<Session> find(std::string_view id, std::string_view caller, base::MonoTime now);

  // Ends it and cancels its calls; false: there was none.
  bool close(std::string_view id, std::string_view caller, base::MonoTime now);

  std::size_t size() const { return by_use_.size(); }

 private:
  using Place = std::list<std::shared_ptr<Session>>::iterator;
  void expire(base::MonoTime now);
  void remove(Place place);

  std::size_t most_;
  base::Millis idle_;
  std::list<std::shared_ptr<Session>> by_use_;  // most recently used first
  std::unordered_map<std::string_view, Place> by_id_;
};

}  // namespace mahavishnu::mcp
