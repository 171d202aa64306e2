#include "app/metrics_text.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <utility>
#include <vector>

namespace mahavishnu::app {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricFamily family(std::string name, std::string help, MetricType type) {
  MetricFamily made;
  made.name = std::move(name);
  made.help = std::move(help);
  made.type = type;
  return made;
}

ClientMetric labelled(const char* label, const std::string& value) {
  ClientMetric metric;
  metric.label.push_back({label, value});
  return metric;
}

MetricFamily latencies(const control::Metrics& metrics) {
  MetricFamily all = family("mahavishnu_duration_seconds",
                            "How long stages and operations took; quantiles of the last minutes.",
                            MetricType::Summary);
  for (const auto& [name, total] : metrics.totals) {
    ClientMetric metric = labelled("operation", name);
    metric.summary.sample_count = total.count;
    metric.summary.sample_sum = total.seconds;
    const auto recent = metrics.latency.find(name);
    if (recent != metrics.latency.end()) {
      const control::Quantiles& is = recent->second;
      metric.summary.quantile = {
          {0.5, is.p50 / 1000}, {0.9, is.p90 / 1000}, {0.95, is.p95 / 1000}, {0.99, is.p99 / 1000}};
    }
    all.metric.push_back(std::move(metric));
  }
  return all;
}

MetricFamily counters(const control::Metrics& metrics) {
  MetricFamily all = family("mahavishnu_events_total", "What happened since the start, by kind.",
                            MetricType::Counter);
  for (const auto& [name, value] : metrics.counters) {
    ClientMetric metric = labelled("kind", name);
    metric.counter.value = static_cast<double>(value);
    all.metric.push_back(std::move(metric));
  }
  return all;
}

MetricFamily gauges(const control::Metrics& metrics) {
  MetricFamily all = family("mahavishnu_now", "What there is now, by kind.", MetricType::Gauge);
  for (const auto& [name, value] : metrics.gauges) {
    ClientMetric metric = labelled("kind", name);
    metric.gauge.value = static_cast<double>(value);
    all.metric.push_back(std::move(metric));
  }
  return all;
}

}  // namespace

std::string metrics_text(const control::Metrics& metrics) {
  MetricFamily build = family("mahavishnu_build_info", "The version that runs.", MetricType::Gauge);
  build.metric.push_back(labelled("version", MAHAVISHNU_VERSION));
  build.metric.front().gauge.value = 1;
  return prometheus::TextSerializer().Serialize(
      {std::move(build), latencies(metrics), counters(metrics), gauges(metrics)});
}

}  // namespace mahavishnu::app
