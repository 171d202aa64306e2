// A circuit breaker: whether a target that has been failing may be called.
//
// Closed: every call is allowed. After `failures` in a row it opens: no call is allowed until its
// cool-down is over. Then exactly one call, the probe, is let through (half-open); the others are
// told to wait for it. A probe that succeeds closes the breaker, one that fails opens it again for
// longer, up to `longest`. Every allowed call has a Pass and hands it back with how it came out;
// what comes back from before the last change of state says nothing any more, so that twenty calls
// that fail together are one opening, and a slow old failure does not open what has recovered.
//
// A plain value: it knows no target, no clock and no lock; its owner keeps it on one thread or
// under one lock, and passes the moment in.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/time.h"

namespace mahavishnu::domain {

enum class BreakerState : std::uint8_t { Closed, HalfOpen, Open };
std::string_view to_string(BreakerState state);  // "closed", "half_open", "open"

struct BreakerOptions {
  int failures = 5;                   // in a row, until it opens
  base::Millis cool_down{1000};       // the first
  double growth = 2;                  // of the cool-down with each probe that failed
  base::Millis longest{60'000};       // cool-down
  base::Millis probe_limit{120'000};  // a probe nobody handed back is given up then
};

class Breaker {
 public:
  enum class Verdict : std::uint8_t {
    Allowed,
    Probe,    // allowed, and all others wait for how it comes out
    Wait,     // a probe is under way: wait for it, or fail at once
    Refused,  // until retry_at()
  };
  struct Pass {
    Verdict verdict = Verdict::Refused;
    std::uint64_t period = 0;  // of the breaker's life: it grows with every change of state
    bool allowed() const { return verdict <= Verdict::Probe; }
  };
  // Since it was made, but for `in_a_row`.
  struct Counts {
    std::uint64_t allowed = 0;
    std::uint64_t refused = 0;  // told to wait included
    std::uint64_t failed = 0;
    std::uint64_t opened = 0;
    int in_a_row = 0;
  };

  explicit Breaker(BreakerOptions options = {}) : options_(options) {}

  Pass ask(base::MonoTime now) {
    if (state_ != BreakerState::Closed) return ask_slowly(now);
    ++counts_.allowed;
    return {Verdict::Allowed, period_};
  }

  // Hands a pass back; exactly once for each that was allowed.
  void succeeded(Pass pass, base::MonoTime now);
  // `spread`, from 0 to 1, makes the cool-down up to a quarter longer: callers of one target that
  // failed together should not all come back together.
  void failed(Pass pass, base::MonoTime now, double spread = 0);
  // The call ended without saying anything of the target (it was cancelled).
  void dropped(Pass pass);

  // Closes it whatever was.
  void reset(base::MonoTime now);

  BreakerState state() const { return state_; }
  base::MonoTime since() const { return since_; }        // the last change of state; {}: none yet
  base::MonoTime retry_at() const { return retry_at_; }  // when open: the earliest probe
  base::Millis cool_down() const { return cool_down_; }  // the last, or the one under way
  const Counts& counts() const { return counts_; }

 private:
  Pass ask_slowly(base::MonoTime now);
  void enter(BreakerState state, base::MonoTime now);
  void open(base::MonoTime now, double spread);

  BreakerOptions options_;
  BreakerState state_ = BreakerState::Closed;
  bool probing_ = false;
  std::uint64_t period_ = 1;
  base::Millis cool_down_{0};
  base::MonoTime since_{}, retry_at_{}, probe_until_{};
  Counts counts_;
};

}  // namespace mahavishnu::domain
