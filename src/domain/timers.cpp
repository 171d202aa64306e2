#include "domain/timers.h"

#include <algorithm>

namespace mahavishnu::domain {
namespace {
constexpr std::size_t kArity = 4;
}

void Timers::set(std::uint32_t task, MonoTime at) {
  const std::uint32_t position = tasks_[task].timer;
  if (at == MonoTime::max()) {
    if (position != kNone) erase(position);
  } else if (position == kNone) {
    entries_.push_back({at, task});
    settle(entries_.size() - 1, {at, task});
  } else {
    settle(position, {at, task});
  }
}

std::uint32_t Timers::take_due(MonoTime now) {
  if (earliest() > now || entries_.empty()) return kNone;
  const std::uint32_t task = entries_.front().task;
  erase(0);
  return task;
}

void Timers::put(std::size_t at, const Entry& entry) {
  entries_[at] = entry;
  tasks_[entry.task].timer = static_cast<std::uint32_t>(at);
}

// Moves a hole from `at` to where `entry` belongs.
void Timers::settle(std::size_t at, Entry entry) {
  while (at > 0 && entry < entries_[(at - 1) / kArity]) {
    put(at, entries_[(at - 1) / kArity]);
    at = (at - 1) / kArity;
  }
  for (;;) {
    const std::size_t first = at * kArity + 1;
    if (first >= entries_.size()) break;
    const std::size_t end = std::min(first + kArity, entries_.size());
    const auto best = std::min_element(entries_.begin() + static_cast<std::ptrdiff_t>(first),
                                       entries_.begin() + static_cast<std::ptrdiff_t>(end));
    if (!(*best < entry)) break;
    const auto child = static_cast<std::size_t>(best - entries_.begin());
    put(at, *best);
    at = child;
  }
  put(at, entry);
}

void Timers::erase(std::size_t at) {
  tasks_[entries_[at].task].timer = kNone;
  const Entry last = entries_.back();
  entries_.pop_back();
  if (at < entries_.size()) settle(at, last);
}

}  // namespace mahavishnu::domain
