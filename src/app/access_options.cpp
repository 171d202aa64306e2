#include "app/access_options.h"

namespace mahavishnu::app {

base::Result<Access::Limits> access_limits(const Config& config) {
  Access::Limits limits;
  limits.requests.per_second = static_cast<double>(config.number("limits.requests_per_s"));
  const auto burst = static_cast<double>(config.number("limits.burst"));
  limits.requests.burst = burst > 0 ? burst : limits.requests.per_second;
  for (const std::string& text : config.list("limits.tools")) {
    auto limit = parse_tool_rate(text);
    if (!limit) return base::fail(limit.error());
    limits.tools.insert_or_assign(std::move(limit->first), limit->second);
  }
  return limits;
}

Audit::Options audit_options(const Config& config) {
  Audit::Options options;
  options.keep = config.duration("audit.keep");
  options.max_rows = static_cast<std::uint64_t>(config.number("audit.max_rows"));
  return options;
}

}  // namespace mahavishnu::app
