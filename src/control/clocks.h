// Where time goes: bounded histograms by operation and by pool, and named counters. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/histogram.h"
#include "base/ids.h"

namespace mahavishnu::control {

struct Quantiles {  // milliseconds
  std::uint64_t count = 0;
  double min = 0, mean = 0, p50 = 0, p90 = 0, p95 = 0, p99 = 0, max = 0;
};

class Clocks {
 public:
  static constexpr std::size_t kMostOperations = 256;  // beyond: counted under "other"

  void add(std::string_view operation, base::MonoTime now, std::chrono::microseconds took);
  void count(std::string_view counter, std::uint64_t more = 1);
  void queue_wait(base::PoolId pool, base::MonoTime now, std::chrono::microseconds waited);
  void run_time(base::PoolId pool, base::MonoTime now, std::chrono::microseconds ran);
  void forget(base::PoolId pool) { pools_.erase(pool); }

  std::map<std::string, Quantiles> latency(base::MonoTime now, base::Millis window) const;
  std::map<std::string, double> per_second(base::MonoTime now, base::Millis window) const;
  const std::map<std::string, std::uint64_t, std::less<>>& counters() const { return counters_; }

  struct PoolTimes {
    Quantiles queue_wait, run_time;  // last 15 minutes
    double per_minute_1 = 0, per_minute_5 = 0, per_minute_15 = 0;
  };
  PoolTimes pool(base::PoolId pool, base::MonoTime now) const;

 private:
  struct OfPool {
    base::WindowedHistogram queue_wait{base::Millis{300000}, 4};
    base::WindowedHistogram run_time{base::Millis{60000}, 16};
  };
  std::map<std::string, base::WindowedHistogram, std::less<>> operations_;
  std::map<std::string, std::uint64_t, std::less<>> counters_;
  std::unordered_map<base::PoolId, OfPool> pools_;
};

}  // namespace mahavishnu::control
