#include "latencies.h"

#include <algorithm>
#include <cstdio>
#include <limits>

namespace perf {

void Latencies::add(Clock::duration took) {
  const auto micros = std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  micros_.push_back(static_cast<std::uint32_t>(
      std::clamp<std::int64_t>(micros, 0, std::numeric_limits<std::uint32_t>::max())));
}

std::string Latencies::to_json() const {
  std::vector<std::uint32_t> sorted = micros_;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&sorted](double share) {
    if (sorted.empty()) return 0.0;
    const auto index =
        static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1) + 0.5);
    return sorted[index] / 1000.0;
  };
  double sum = 0;
  for (const std::uint32_t micros : sorted) sum += micros;
  const double mean = sorted.empty() ? 0 : sum / static_cast<double>(sorted.size()) / 1000.0;
  char text[256];
  std::snprintf(text, sizeof text,
                "{\"count\":%zu,\"mean_ms\":%.3f,\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,"
                "\"max_ms\":%.3f}",
                sorted.size(), mean, at(0.50), at(0.95), at(0.99), at(1.0));
  return text;
}

}  // namespace perf
