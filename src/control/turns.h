// Lines of calls that wait for something there is a number of: messages of a group, room in one.
//
// A watch wakes all who wait for a change; here as many are woken as can have something, in the
// order they came, so that a thousand who wait cost no more than those who get. Who was woken and
// leaves without (cancelled, too late) passes its turn on. One thread; built on Watchers, which
// bounds how many wait.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <utility>

#include "control/watchers.h"

namespace mahavishnu::control {

class Turns {
 public:
  using Key = std::pair<int, std::uint64_t>;  // what kind of thing, of whom

  // `offer` is called with a key when a turn was passed on: it says `wake` as things are then.
  Turns(Watchers& watchers, std::function<void(Key)> offer)
      : watchers_(watchers), offer_(std::move(offer)) {}

  // At most `most` of those who wait have been woken and not come to their end, after this.
  void wake(Key key, std::size_t most);
  // Calls `offer` for every key of this kind that somebody waits for.
  void offer_all(int kind);

 private:
  friend class Turn;
  struct Line {
    std::list<class Turn*> waiting;
    std::size_t woken = 0;
  };

  Watchers& watchers_;
  std::function<void(Key)> offer_;
  std::map<Key, Line> lines_;  // none is empty
  std::uint64_t next_ticket_ = 1;
};

// A place in a line, for one call. Exhausted from Watchers::room is the caller's to ask for.
class Turn {
 public:
  Turn(Turns& turns, Turns::Key key);
  ~Turn();
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  Turns::Key key() const { return line_->first; }
  // Resumes when it is this call's turn (true) or at `until` (false). Waiting again after a turn
  // that brought nothing is waiting in front. Errors as those of Watch.
  base::awaitable<base::Result<bool>> wait(base::MonoTime until);

 private:
  friend class Turns;

  Turns& turns_;
  std::map<Turns::Key, Turns::Line>::iterator line_;
  std::uint64_t ticket_;
  std::optional<std::list<Turn*>::iterator> place_;  // nullopt: woken
  Watch watch_;
};

}  // namespace mahavishnu::control
