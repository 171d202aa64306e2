// Where time goes: bounded histograms by stage, by operation and by pool, and named counters.
//
// One thread. A stage is clocked on every call, so it costs no look-up by name.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
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

// What a task or a call goes through, in its order.
enum class Stage {
  Admit,         // a submit's own checks, until the core has it
  Schema,        // arguments against the tool's schema
  ControlWait,   // an answer of another thread, until the control thread takes it
  Journal,       // a commit, until it is on disk
  CapacityWait,  // ready, until it was placed
  Spawn,         // placed, until its process runs
  Run,           // until the process has ended
  Collect,       // until its end is on disk and its attempt let go
  Reply,         // a tool's result, until it is text
  LoopLag,       // how late the control loop is
};
inline constexpr std::size_t kStages = 10;
std::string_view to_string(Stage stage);  // "stage.admit" …

class Clocks {
 public:
  static constexpr std::size_t kMostOperations = 256;  // beyond: counted under "other"

  Clocks();
  void add(std::string_view operation, base::MonoTime now, std::chrono::microseconds took);
  void add(Stage stage, base::MonoTime now, std::chrono::microseconds took);
  void count(std::string_view counter, std::uint64_t more = 1);
  void queue_wait(base::PoolId pool, base::MonoTime now, std::chrono::microseconds waited);
  void run_time(base::PoolId pool, base::MonoTime now, std::chrono::microseconds ran);
  void forget(base::PoolId pool) { pools_.erase(pool); }

  std::map<std::string, Quantiles> latency(base::MonoTime now, base::Millis window) const;
  std::map<std::string, double> per_second(base::MonoTime now, base::Millis window) const;
  // Since the start.
  struct Total {
    std::uint64_t count = 0;
    double seconds = 0;
  };
  std::map<std::string, Total> totals() const;
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
  struct Operation {
    Operation();
    void add(base::MonoTime now, std::chrono::microseconds took);
    base::WindowedHistogram recent;
    std::uint64_t count = 0;
    std::chrono::microseconds sum{0};
  };
  template <class Visit>
  void each(Visit visit) const;  // visit(name, operation)

  // Found by a name that is no string of its own.
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view name) const {
      return std::hash<std::string_view>{}(name);
    }
  };

  std::array<Operation, kStages> stages_;
  std::unordered_map<std::string, Operation, Hash, std::equal_to<>> operations_;
  std::map<std::string, std::uint64_t, std::less<>> counters_;
  std::unordered_map<base::PoolId, OfPool> pools_;
};

}  // namespace mahavishnu::control
