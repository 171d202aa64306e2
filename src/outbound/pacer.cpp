#include "outbound/pacer.h"

#include <cstdint>
#include <fstream>

namespace mahavishnu::outbound {

std::optional<RunTimes> run_times_here() {
  std::ifstream file("/proc/thread-self/schedstat");
  std::int64_t ran = 0;
  std::int64_t waited = 0;
  if (!(file >> ran >> waited)) return std::nullopt;
  return RunTimes{std::chrono::nanoseconds(ran), std::chrono::nanoseconds(waited)};
}

base::Millis Pacer::sent(base::MonoTime now) {
  ++sent_;
  const bool first = looked_ == base::MonoTime{};
  if (!first && (sent_ < limits_.page || now < looked_ + limits_.look)) return {};
  sent_ = 0;
  looked_ = now;
  const auto before = std::exchange(last_, times_());
  if (!before || !last_) return {};
  const bool full = last_->waited - before->waited > limits_.full * (last_->ran - before->ran);
  return full ? limits_.pause : base::Millis{};
}

}  // namespace mahavishnu::outbound
