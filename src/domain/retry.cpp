#include "domain/retry.h"

#include <algorithm>
#include <cmath>

#include "domain/flat_index.h"

namespace mahavishnu::domain {

bool is_retryable(Reason reason) {
  switch (reason) {
    case Reason::ExitCode:
    case Reason::Signal:
    case Reason::TimedOut:
    case Reason::IdleTimeout:
    case Reason::StartTimeout:
    case Reason::OutOfMemory:
    case Reason::Hung:
    case Reason::Lost:
    case Reason::VerifyFailed:
    case Reason::NoTerminalEvent:  // it ended without saying how: as good as lost
      return true;
    default:
      return false;
  }
}

Millis backoff_after(const RetryPolicy& policy, std::uint32_t done, std::uint64_t draw) {
  const auto cap = static_cast<double>(std::max<std::int64_t>(policy.max_backoff.count(), 0));
  double wait = static_cast<double>(std::max<std::int64_t>(policy.backoff.count(), 0)) *
                std::pow(std::max(policy.factor, 0.0), done > 0 ? done - 1 : 0);
  if (!(wait < cap)) wait = cap;  // infinity and NaN too
  const double jitter = std::clamp(policy.jitter, 0.0, 1.0);
  const double unit = static_cast<double>(draw >> 11U) * 0x1.0p-53;  // [0, 1)
  return Millis(static_cast<std::int64_t>(std::llround(wait * (1.0 - jitter * unit))));
}

std::uint64_t Chance::draw() { return mix64(state_ += 0x9E3779B97F4A7C15ULL); }

}  // namespace mahavishnu::domain
