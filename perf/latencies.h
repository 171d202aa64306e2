// Every latency of one run, and the figures made of them: exact, because a benchmark has room for
// four bytes a request.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace perf {

using Clock = std::chrono::steady_clock;

class Latencies {
 public:
  void add(Clock::duration took);
  std::size_t count() const { return micros_.size(); }
  // {"count":…,"mean_ms":…,"p50_ms":…,"p95_ms":…,"p99_ms":…,"max_ms":…}; zeros when empty.
  std::string to_json() const;

 private:
  std::vector<std::uint32_t> micros_;
};

}  // namespace perf
