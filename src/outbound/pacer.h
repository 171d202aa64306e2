// Slows down what is sent beside work while work fills the cores.
//
// A niced thread gets what work leaves over. Where that is enough it hardly waits for a core; where
// work fills them it waits most of its time, and the kernel counts both. What it still sends then
// costs work more than its own few microseconds: threads woken, packets, caches. So once it has
// waited several times as long as it ran, and not just for a moment, a page is sent and then a
// pause made: sending goes on, slowly, and is as fast as ever when the work is done. A pure value:
// moments and times are passed in.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "base/time.h"

namespace mahavishnu::outbound {

// Of a thread since it began, as the scheduler counts them (Linux, schedstat).
struct RunTimes {
  std::chrono::nanoseconds ran{};
  std::chrono::nanoseconds waited{};  // able to run, without a core
};

// Of the thread that calls; nullopt where the kernel does not count them.
std::optional<RunTimes> run_times_here();

struct PacerLimits {
  int page = 20;            // sent without a look
  base::Millis look{50};    // apart, at least
  int full = 5;             // the cores are: waited so many times as long as ran
  base::Millis pause{200};  // then
};

class Pacer {
 public:
  // nullopt from `times`: they are not known here, and nothing is slowed down.
  using Times = std::function<std::optional<RunTimes>()>;
  Pacer(PacerLimits limits, Times times) : limits_(limits), times_(std::move(times)) {}

  // One more was sent. How long to wait before the next; mostly not at all.
  base::Millis sent(base::MonoTime now);

 private:
  PacerLimits limits_;
  Times times_;
  int sent_ = 0;  // since the last look
  base::MonoTime looked_{};
  std::optional<RunTimes> last_;  // then
};

}  // namespace mahavishnu::outbound
