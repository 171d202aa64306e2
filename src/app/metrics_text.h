// The server's metrics in the text format that Prometheus scrapes. Pure.
//
// Latencies are summaries: quantiles of the metrics' window, count and sum since the start.
#pragma once

#include <string>

#include "control/service.h"

namespace mahavishnu::app {

inline constexpr const char* kMetricsType = "text/plain; version=0.0.4; charset=utf-8";

std::string metrics_text(const control::Metrics& metrics);

}  // namespace mahavishnu::app
