#include "app/bus_options.h"

#include <algorithm>

#include "domain/bus_topics.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

Result<std::pair<std::string, domain::SlowPolicy>> read_policy(const std::string& entry) {
  const std::size_t split = entry.rfind('=');
  const std::string pattern = entry.substr(0, std::min(split, entry.size()));
  const auto policy = domain::parse_slow_policy(
      split == std::string::npos ? std::string_view() : std::string_view(entry).substr(split + 1));
  if (!policy || !domain::check_pattern(pattern)) {
    return fail(ErrorCode::InvalidArgument,
                "messages.policies: \"" + entry +
                    "\" is not PATTERN=POLICY, such as logs.#=drop_oldest; policies are "
                    "block_publisher, drop_oldest and disconnect");
  }
  return std::pair(pattern, *policy);
}

}  // namespace

Result<control::MessageBusOptions> message_bus_options(const Config& config) {
  const auto size = [&config](const char* key) {
    return static_cast<std::size_t>(config.number(key));
  };
  control::MessageBusOptions options;
  domain::BusOptions& bus = options.bus;
  bus.max_messages = size("messages.max_count");
  bus.max_bytes = size("messages.max_bytes");
  bus.max_groups = size("messages.max_groups");
  bus.max_pending = size("messages.max_pending");
  bus.max_in_flight = size("messages.max_in_flight");
  bus.max_deliveries = static_cast<int>(config.number("messages.max_deliveries"));
  bus.keep = config.duration("messages.keep");
  bus.group_idle = config.duration("messages.group_idle");
  bus.policy = *domain::parse_slow_policy(config.text("messages.policy"));
  for (const auto& entry : config.list("messages.policies")) {
    auto policy = read_policy(entry);
    if (!policy) return fail(std::move(policy.error()));
    bus.policies.push_back(std::move(*policy));
  }
  return options;
}

void add_metrics(const control::MessageBus& bus, control::Metrics& metrics) {
  const auto counts = bus.bus().counts();
  metrics.counters["messages_published"] = counts.published;
  metrics.counters["messages_events"] = counts.events;
  metrics.counters["messages_delivered"] = counts.delivered;
  metrics.counters["messages_redelivered"] = counts.redelivered;
  metrics.counters["messages_acked"] = counts.acked;
  metrics.counters["messages_acked_late"] = counts.late_acks;
  metrics.counters["messages_blocked"] = counts.blocked;
  metrics.counters["messages_dropped"] = counts.dropped;
  metrics.counters["messages_disconnected"] = counts.disconnected;
  metrics.counters["messages_expired"] = counts.expired;
  metrics.counters["messages_dead"] = counts.dead;
  metrics.gauges["messages"] = static_cast<std::int64_t>(counts.messages);
  metrics.gauges["messages_bytes"] = static_cast<std::int64_t>(counts.bytes);
  metrics.gauges["messages_groups"] = static_cast<std::int64_t>(counts.groups);
  metrics.gauges["messages_in_flight"] = static_cast<std::int64_t>(counts.in_flight);
}

}  // namespace mahavishnu::app
