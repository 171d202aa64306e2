#include "control/alarms.h"

namespace mahavishnu::control {

Alarms::Handle Alarms::at(base::MonoTime when, std::function<void()> due) {
  const Handle handle{when, next_++};
  due_.emplace(handle, std::move(due));
  if (due_.begin()->first == handle) rearm();
  return handle;
}

void Alarms::cancel(Handle handle) {
  const auto found = due_.find(handle);
  if (found == due_.end()) return;
  const bool first = found == due_.begin();
  due_.erase(found);
  if (first) rearm();
}

void Alarms::clear() {
  due_.clear();
  timers_.clear_alarm();
}

void Alarms::rearm() {
  if (ringing_) return;  // ring() arms once, at its end
  if (due_.empty()) {
    timers_.clear_alarm();
  } else {
    timers_.set_alarm(due_.begin()->first.first, [this] { ring(); });
  }
}

void Alarms::ring() {
  ringing_ = true;
  const base::MonoTime now = timers_.now().mono;
  // What a callback sets for "now" rings in the next round, so that one cannot starve the loop.
  const std::uint64_t last = next_;
  while (!due_.empty() && due_.begin()->first.first <= now && due_.begin()->first.second < last) {
    auto node = due_.extract(due_.begin());
    node.mapped()();
  }
  ringing_ = false;
  rearm();
}

}  // namespace mahavishnu::control
