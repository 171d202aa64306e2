// When a failed attempt is tried again, and after how long.
#pragma once

#include <cstdint>

#include "domain/types.h"

namespace mahavishnu::domain {

// Whether another attempt could end differently. A refusal, a caller's wish or a spent budget could
// not.
bool is_retryable(Reason reason);

// The wait before attempt `done` + 1: min(max_backoff, backoff × factor^(done−1)), of which
// `jitter` is chance: uniform in [(1 − jitter) × wait, wait]. `draw` is 64 bits of chance.
Millis backoff_after(const RetryPolicy& policy, std::uint32_t done, std::uint64_t draw);

// Several draws from the one number a step is given (splitmix64).
class Chance {
 public:
  explicit Chance(std::uint64_t seed) : state_(seed) {}
  std::uint64_t draw();

 private:
  std::uint64_t state_;
};

}  // namespace mahavishnu::domain
