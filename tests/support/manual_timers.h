// A clock and an alarm that a test moves by hand.
#pragma once

#include <functional>
#include <utility>

#include "control/timers.h"

namespace mahavishnu::support {

class ManualTimers final : public control::Timers {
 public:
  domain::Moment now() override { return {wall_, mono_, chance_.random()}; }
  void set_alarm(base::MonoTime at, std::function<void()> due) override {
    at_ = at;
    due_ = std::move(due);
  }
  void clear_alarm() override { due_ = nullptr; }

  // Moves time on and rings what became due on the way, each at its own time.
  void advance(base::Millis by) {
    const base::MonoTime end = mono_ + by;
    while (due_ && at_ <= end) {
      if (at_ > mono_) move_to(at_);
      auto due = std::exchange(due_, nullptr);
      due();
    }
    move_to(end);
  }

 private:
  void move_to(base::MonoTime to) {
    wall_ += std::chrono::duration_cast<base::Millis>(to - mono_);
    mono_ = to;
  }

  base::WallTime wall_{base::Millis{1700000000000}};
  base::MonoTime mono_{std::chrono::seconds{1000}};
  base::MonoTime at_{};
  std::function<void()> due_;
  base::UlidSource chance_{7};
};

}  // namespace mahavishnu::support
