#include "app/parts_metrics.h"

#include <unistd.h>

#include <fstream>

#include "base/log.h"

namespace mahavishnu::app {
namespace {

std::int64_t resident_bytes() {
  long pages = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return std::int64_t{resident} * ::sysconf(_SC_PAGESIZE);
}

}  // namespace

void add_metrics(const journal::SqliteJournal& journal, control::Metrics& metrics) {
  const auto stats = journal.stats();
  metrics.gauges["rss_bytes"] = resident_bytes();
  metrics.gauges["journal_pending"] = static_cast<std::int64_t>(stats.pending);
  metrics.gauges["memories"] = stats.memories;
  metrics.gauges["memories_behind"] = stats.memories_behind;
  metrics.counters["journal_commits"] = stats.commits;
  metrics.counters["journal_transactions"] = stats.transactions;
  metrics.counters["journal_failed"] = stats.failed;
  metrics.counters["journal_checkpoints"] = stats.checkpoints;
  metrics.counters["journal_log_restarts"] = stats.restarts;
  metrics.counters["journal_reads"] = stats.reads;
  metrics.counters["journal_events"] = stats.events;
  metrics.counters["audit_lost"] = stats.audit_lost;
  metrics.counters["journal_events_dropped"] = stats.events_dropped;
  metrics.counters["log_lines_dropped"] = base::log_lines_dropped();
  metrics.gauges["journal_events_queued"] = static_cast<std::int64_t>(stats.events_queued);
}

void add_metrics(const outbound::BreakerBoard& breakers, control::Metrics& metrics) {
  for (const auto& breaker : breakers.list()) {
    metrics.gauges["breaker " + breaker.target] = static_cast<std::int64_t>(breaker.state);
    metrics.counters["breaker_opened " + breaker.target] = breaker.counts.opened;
    metrics.counters["breaker_refused " + breaker.target] = breaker.counts.refused;
  }
}

void add_metrics(const base::Caches& caches, control::Metrics& metrics) {
  for (const auto& cache : caches.all()) {
    const base::CacheStats stats = cache.stats();
    const std::string name = "cache." + cache.name;
    metrics.counters[name + ".hits"] = stats.hits;
    metrics.counters[name + ".misses"] = stats.misses;
    metrics.gauges[name + ".hit_percent"] = static_cast<std::int64_t>(100 * stats.hit_ratio());
    metrics.gauges[name + ".entries"] = static_cast<std::int64_t>(stats.entries);
  }
}

}  // namespace mahavishnu::app
