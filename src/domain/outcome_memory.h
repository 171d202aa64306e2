// How the last tasks to leave the core came out, for a dependency that is named a moment too late.
//
// A ring of fixed size: the oldest is forgotten for the newest. One thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "domain/flat_index.h"
#include "domain/types.h"

namespace mahavishnu::domain {

class OutcomeMemory {
 public:
  static constexpr std::size_t kMost = 65536;

  void remember(TaskId task, bool completed) {
    if (last_.size() < kMost) {
      last_.push_back({task, completed});
    } else {
      index_.erase(hash(last_[next_].task), next_);
      last_[next_] = {task, completed};
    }
    index_.insert(hash(task), next_);
    next_ = (next_ + 1) % kMost;
  }
  std::optional<bool> completed(TaskId task) const {
    const std::uint32_t slot =
        index_.find(hash(task), [&](std::uint32_t s) { return last_[s].task == task; });
    if (slot == kNone) return std::nullopt;
    return last_[slot].completed;
  }

 private:
  struct Outcome {
    TaskId task;
    bool completed = false;
  };
  static std::uint64_t hash(TaskId id) { return mix64(std::hash<TaskId>{}(id)); }

  std::vector<Outcome> last_;
  FlatIndex index_;
  std::uint32_t next_ = 0;
};

}  // namespace mahavishnu::domain
