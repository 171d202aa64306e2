// When each live task is next due for something, and the earliest of all.
//
// One entry a task at most, in an indexed 4-ary heap: a time that changes moves its entry, so there
// are no stale ones to skip or to compact. One thread; told the time.
#pragma once

#include <cstdint>
#include <vector>

#include "base/time.h"
#include "domain/live_task.h"

namespace mahavishnu::domain {

class Timers {
 public:
  explicit Timers(Tasks& tasks) : tasks_(tasks) {}

  void set(std::uint32_t task, MonoTime at);  // MonoTime::max(): none
  MonoTime earliest() const { return entries_.empty() ? MonoTime::max() : entries_.front().at; }
  // The task with the earliest time, taken out, when that is not after `now`; kNone otherwise.
  std::uint32_t take_due(MonoTime now);
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    MonoTime at;
    std::uint32_t task;
    bool operator<(const Entry& other) const {
      return at != other.at ? at < other.at : task < other.task;
    }
  };
  void put(std::size_t at, const Entry& entry);
  void settle(std::size_t at, Entry entry);
  void erase(std::size_t at);

  Tasks& tasks_;
  std::vector<Entry> entries_;
};

}  // namespace mahavishnu::domain
