// How long to leave alone what has failed so often in a row.
#pragma once

#include <algorithm>
#include <cmath>

#include "base/time.h"

namespace mahavishnu::outbound {

// After a store of our own that could not be read.
inline constexpr base::Millis kReadAgain{1000};

// `first` after the first failure, doubled with each, at most `longest`; half of it by chance
// (`dice` is from 0 to 1): what failed together does not come back together.
inline base::Millis backoff(int failures, base::Millis first, base::Millis longest, double dice) {
  const double grown = static_cast<double>(first.count()) * std::exp2(std::max(failures, 1) - 1);
  const double most = std::min(grown, static_cast<double>(longest.count()));
  return base::Millis(static_cast<std::int64_t>(most * (0.5 + 0.5 * std::clamp(dice, 0.0, 1.0))));
}

}  // namespace mahavishnu::outbound
