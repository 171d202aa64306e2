// What was sent on the event streams of sessions, kept for a while: a client whose connection broke
// comes back with the id of the last event it has, and is sent what it missed of that stream
// (2025-11-25, basic/transports, "Resumability and Redelivery").
//
// `ReplayStore` bounds what all sessions keep together, a `Replay` what one does and knows that
// session's streams: an id of another session is unknown to it. The oldest goes first. Of a stream
// the newest events are kept, without a gap. One executor. Lifetime: the store longer than its
// replays; a session owns its replay.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/time.h"
#include "mcp/server.h"

namespace mahavishnu::mcp {

class EventStream;
class Replay;

class ReplayStore {
 public:
  explicit ReplayStore(const ReplayLimits& limits,
                       std::function<base::MonoTime()> now = base::mono_now);

  // `resumed`, `refused` and what is kept now.
  const ReplayFigures& figures() const { return figures_; }

 private:
  friend class Replay;
  struct Kept {
    Replay* session;
    EventStream* stream;
    base::MonoTime at;
    std::string text;
  };
  using Place = std::list<Kept>::iterator;

  void expire();

  ReplayLimits limits_;
  std::function<base::MonoTime()> now_;
  std::list<Kept> all_;  // oldest first
  ReplayFigures figures_;
};

class Replay {
 public:
  explicit Replay(ReplayStore& store) : store_(store) {}
  ~Replay();
  Replay(const Replay&) = delete;
  Replay& operator=(const Replay&) = delete;

  // From now on its events may be kept, and it is found until it has ended and none of them is
  // left.
  void add(std::shared_ptr<EventStream> stream);
  // The stream's newest event.
  void keep(EventStream& stream, std::string text);
  void ended(EventStream& stream);

  struct Place {
    std::shared_ptr<EventStream> stream;
    std::uint64_t number = 0;  // of the event the client had last
  };
  // Null stream: the id is of no stream of this session, or not all that came after it is kept.
  Place find(std::string_view event_id);

 private:
  friend class ReplayStore;
  void drop_oldest();
  void forget_if_over(const EventStream& stream);

  ReplayStore& store_;
  std::size_t bytes_ = 0;
  std::deque<ReplayStore::Place> kept_;  // oldest first
  std::unordered_map<std::string, std::shared_ptr<EventStream>> streams_;
};

}  // namespace mahavishnu::mcp
