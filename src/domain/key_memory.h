// Which task or workflow an idempotency key named: while it lives, and for a while after its end.
//
// Keys belong to a caller. Ended ones leave after `keep`, or earlier when more than kMost of them
// are remembered. The archive knows all whose admission is on disk; between them they know every
// key, if the archive was asked not too long ago: `knows_since`. One thread; told the time.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "domain/flat_index.h"
#include "domain/records.h"
#include "domain/slab.h"

namespace mahavishnu::domain {

class KeyMemory {
 public:
  struct Entry {
    std::string key;  // caller, 0, key
    std::uint64_t hash = 0;
    TaskId task;  // one of the two
    WorkflowId workflow;
    CommitNo admission = 0;  // not known to be on disk yet; 0: it is
    bool ended = false;
    bool forgotten = false;  // after its end: its time to leave is set already
  };
  static constexpr std::size_t kMost = 262144;

  explicit KeyMemory(Millis keep) : keep_(keep) {}

  std::uint32_t find(std::string_view caller, std::string_view key) const;  // kNone: unknown
  std::uint32_t add(std::string_view caller, std::string_view key);         // not known yet
  Entry& operator[](std::uint32_t slot) { return entries_[slot]; }
  void forget(std::uint32_t slot);               // it was never admitted
  void ended(std::uint32_t slot, MonoTime now);  // from now on it may be forgotten
  // Forgets what has been ended for long enough.
  void expire(MonoTime now);
  // None that ended at this moment or later has left: an archive asked after it, which did not know
  // a key that is not here either, did not miss one that came onto disk and left here since.
  bool knows_since(MonoTime moment) const { return moment > last_left_; }
  std::size_t size() const { return entries_.size(); }

 private:
  struct Leaving {
    MonoTime ended;
    std::uint32_t slot;
  };
  void drop(std::uint32_t slot);

  Millis keep_;
  Slab<Entry> entries_;
  FlatIndex index_;
  std::deque<Leaving> leaving_;
  MonoTime last_left_ = MonoTime::min();  // when that had ended which left last
};

}  // namespace mahavishnu::domain
