// Many deadlines over the one alarm of the Timers port.
//
// One thread. A callback runs on the control thread, never from inside `at`. Deadlines are
// absolute.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "control/timers.h"

namespace mahavishnu::control {

class Alarms {
 public:
  using Handle = std::pair<base::MonoTime, std::uint64_t>;

  explicit Alarms(Timers& timers) : timers_(timers) {}
  ~Alarms() { timers_.clear_alarm(); }
  Alarms(const Alarms&) = delete;
  Alarms& operator=(const Alarms&) = delete;

  Handle at(base::MonoTime when, std::function<void()> due);
  void cancel(Handle handle);  // of one that already rang: nothing
  void clear();
  std::size_t size() const { return due_.size(); }

 private:
  void ring();
  void rearm();

  Timers& timers_;
  std::map<Handle, std::function<void()>> due_;
  std::uint64_t next_ = 1;
  bool ringing_ = false;
};

}  // namespace mahavishnu::control
