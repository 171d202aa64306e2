#include "app/outbound_options.h"

#include <utility>

#include "app/secrets.h"

namespace mahavishnu::app {

using base::fail;

base::Result<outbound::SessionBuddyOptions> buddy_options(const Config& config) {
  using Protocol = outbound::BuddySession::Protocol;
  outbound::SessionBuddyOptions options;
  options.url = config.text("session_buddy.url");
  const std::string& protocol = config.text("session_buddy.protocol");
  options.session.protocol = protocol == "mcp"    ? Protocol::Mcp
                             : protocol == "rest" ? Protocol::Rest
                                                  : Protocol::Auto;
  if (const auto& file = config.text("session_buddy.token_file"); !file.empty()) {
    auto token = read_secret(file);
    if (!token) return fail(std::move(token.error()));
    options.session.token = std::move(*token);
  }
  options.http.connections =
      static_cast<std::size_t>(config.number("session_buddy.max_connections"));
  options.http.connect = config.duration("session_buddy.connect_ms");
  options.http.read = config.duration("session_buddy.read_ms");
  options.http.total = config.duration("session_buddy.total_ms");
  options.http.ca_file = config.text("session_buddy.ca_file");
  options.http.when_idle = true;
  options.backlog.max_tries = static_cast<int>(config.number("session_buddy.max_tries"));
  return options;
}

// What is sent is read from the history: without one there is nothing.
base::Result<outbound::OpenSearchOptions> opensearch_options(const Config& config,
                                                             const std::string& node) {
  if (config.number("log.max_bytes") == 0) {
    return fail(base::ErrorCode::InvalidArgument,
                "opensearch.url is set and log.max_bytes is 0, but events are sent from the "
                "history; give log.max_bytes some room, or empty opensearch.url");
  }
  outbound::OpenSearchOptions options;
  options.url = config.text("opensearch.url");
  options.index = config.text("opensearch.index");
  options.node = node;
  options.user = config.text("opensearch.user");
  const auto& file = config.text("opensearch.password_file");
  if (file.empty() != options.user.empty()) {
    return fail(base::ErrorCode::InvalidArgument,
                "of opensearch.user and opensearch.password_file one is set; set both or none");
  }
  if (!file.empty()) {
    auto password = read_secret(file);
    if (!password) return fail(std::move(password.error()));
    options.password = std::move(*password);
  }
  options.connections = static_cast<std::size_t>(config.number("opensearch.max_connections"));
  options.http.connect = config.duration("opensearch.connect_ms");
  options.http.read = config.duration("opensearch.read_ms");
  options.http.total = config.duration("opensearch.total_ms");
  options.http.ca_file = config.text("opensearch.ca_file");
  options.http.max_body = 16U << 20U;  // the answer to the longest bulk
  options.http.when_idle = true;
  options.bulk.rows = static_cast<std::size_t>(config.number("opensearch.bulk_rows"));
  options.bulk.bytes = static_cast<std::size_t>(config.number("opensearch.bulk_bytes"));
  options.bulk.most_bulks = options.connections + 2;
  options.gather = config.duration("opensearch.gather_ms");
  return options;
}

void add_metrics(const outbound::SessionBuddy::Figures& figures, control::Metrics& metrics) {
  const auto& http = figures.http;
  const std::pair<const char*, std::int64_t> gauges[] = {
      {"outbox", figures.outbox},
      {"outbox_dead", figures.dead},
      {"session_buddy_in_flight", figures.in_flight},
      {"session_buddy_connections_open", static_cast<std::int64_t>(http.open)},
      {"session_buddy_calls_waiting", static_cast<std::int64_t>(http.waiting)},
      {"session_buddy_slowest_connect_us", static_cast<std::int64_t>(http.slowest_connect_us)},
      {"session_buddy_last_recovery_ms", http.last_recovery.count()},
  };
  const std::pair<const char*, std::uint64_t> counters[] = {
      {"session_buddy_sent", figures.sent},
      {"session_buddy_accepted", figures.accepted},
      {"session_buddy_retried", figures.retried},
      {"session_buddy_died", figures.died},
      {"session_buddy_pauses", figures.pauses},
      {"session_buddy_calls", http.calls},
      {"session_buddy_calls_reused", http.reused},
      {"session_buddy_calls_failed", http.failures},
      {"session_buddy_connections", http.connections},
      {"session_buddy_connect_us", http.connect_us},
      {"session_buddy_recoveries", http.recoveries},
  };
  for (const auto& [name, value] : gauges) metrics.gauges[name] = value;
  for (const auto& [name, value] : counters) metrics.counters[name] = value;
}

void add_metrics(const outbound::OpenSearch::Figures& figures, control::Metrics& metrics) {
  const auto& http = figures.http;
  const std::pair<const char*, std::int64_t> gauges[] = {
      {"opensearch_behind", figures.behind},
      {"opensearch_in_flight", figures.in_flight},
      {"opensearch_connections_open", static_cast<std::int64_t>(http.open)},
      {"opensearch_last_recovery_ms", http.last_recovery.count()},
  };
  const std::pair<const char*, std::uint64_t> counters[] = {
      {"opensearch_bulks", figures.bulks},          {"opensearch_sent", figures.sent},
      {"opensearch_indexed", figures.indexed},      {"opensearch_known", figures.known},
      {"opensearch_retried", figures.retried},      {"opensearch_rejected", figures.rejected},
      {"opensearch_dropped", figures.dropped},      {"opensearch_calls", http.calls},
      {"opensearch_calls_reused", http.reused},     {"opensearch_calls_failed", http.failures},
      {"opensearch_connections", http.connections}, {"opensearch_recoveries", http.recoveries},
  };
  for (const auto& [name, value] : gauges) metrics.gauges[name] = value;
  for (const auto& [name, value] : counters) metrics.counters[name] = value;
}

}  // namespace mahavishnu::app
