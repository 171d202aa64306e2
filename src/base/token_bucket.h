// How many may come in a time: so many a second, and a few at once.
//
// It holds at most `burst` and gains `per_second`; who finds it empty is told how long until it
// holds one again. Nothing but arithmetic on the times it is given; a time before the last one
// counts as the last one. One thread.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/time.h"

namespace mahavishnu::base {

struct Rate {
  double per_second = 0;  // 0: no limit
  double burst = 1;       // at least 1
};

class TokenBucket {
 public:
  explicit TokenBucket(Rate rate) : rate_(rate), held_(std::max(1.0, rate.burst)) {}

  // Takes one and answers 0; or takes none and answers after how long there is one, at least 1 ms.
  Millis take(MonoTime now) {
    if (rate_.per_second <= 0) return Millis(0);
    if (last_ == MonoTime{}) last_ = now;
    if (now > last_) {
      const std::chrono::duration<double> passed = now - last_;
      held_ = std::min(std::max(1.0, rate_.burst), held_ + passed.count() * rate_.per_second);
      last_ = now;
    }
    if (held_ >= 1) {
      held_ -= 1;
      return Millis(0);
    }
    const double milliseconds = std::ceil((1 - held_) * 1000 / rate_.per_second);
    return Millis(std::max<std::int64_t>(1, static_cast<std::int64_t>(milliseconds)));
  }

 private:
  Rate rate_;
  double held_;
  MonoTime last_{};
};

}  // namespace mahavishnu::base
