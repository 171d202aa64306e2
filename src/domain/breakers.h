// The breakers of all targets that are called, as a port: to be looked at and to be reset.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/breaker.h"

namespace mahavishnu::domain {

struct BreakerView {
  std::string target;  // "session_buddy http://127.0.0.1:8678"
  BreakerState state = BreakerState::Closed;
  Breaker::Counts counts;
  base::Millis cool_down{0};
  base::Millis retry_in{0};   // until the next probe; 0 unless it is open
  base::Millis in_state{-1};  // since the last change of state; -1: there was none
  std::string last_error;
};

// Any thread.
class Breakers {
 public:
  virtual ~Breakers() = default;
  virtual std::vector<BreakerView> list() const = 0;  // by target
  // NotFound names the nearest; a breaker that is closed already is an answer as well.
  virtual base::Status reset(const std::string& target) = 0;
};

}  // namespace mahavishnu::domain
