#include "app/mcp_options.h"

#include "tools/registry.h"

namespace mahavishnu::app {

mcp::ServerOptions server_options(const Config& config) {
  const auto size = [&config](const char* name) {
    return static_cast<std::size_t>(config.number(name));
  };
  mcp::ServerOptions options;
  options.version = MAHAVISHNU_VERSION;
  options.instructions = tools::instructions();
  options.max_in_flight_per_connection = size("rpc.max_in_flight");
  options.replay.session_events = size("http.replay_events");
  options.replay.session_bytes = size("http.replay_session_bytes");
  options.replay.bytes = size("http.replay_bytes");
  options.stream_hold = config.duration("http.stream_hold");
  options.replay.age = config.duration("http.replay_keep");
  return options;
}

void add_metrics(const mcp::ReplayFigures& figures, control::Metrics& metrics) {
  metrics.counters["streams_resumed"] = figures.resumed;
  metrics.counters["streams_not_resumed"] = figures.refused;
  metrics.counters["stream_events_dropped"] = figures.dropped;
  metrics.gauges["stream_events"] = static_cast<std::int64_t>(figures.events);
  metrics.gauges["stream_event_bytes"] = static_cast<std::int64_t>(figures.bytes);
}

}  // namespace mahavishnu::app
