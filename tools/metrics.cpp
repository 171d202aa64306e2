// Tool `metrics_get`: what the server measured of itself.
#include <algorithm>

#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/registry.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

// Everything when nothing is named; otherwise what is, or begins with, one of the names.
bool wanted(const std::vector<std::string>& names, const std::string& name) {
  return names.empty() ||
         std::any_of(names.begin(), names.end(),
                     [&name](const std::string& begin) { return name.starts_with(begin); });
}

template <class Value, class View>
Json chosen(const std::map<std::string, Value>& values, const std::vector<std::string>& names,
            View view) {
  Json all = Json::object();
  for (const auto& [name, value] : values) {
    if (wanted(names, name)) all[name] = view(value);
  }
  return all;
}

base::awaitable<mcp::ToolResult> metrics_get(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const base::Millis window{reader.integer("window_ms", 300000, 1000, 86400000)};
  const std::vector<std::string> names = reader.texts("names", 100, kNameBytes);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const control::Metrics metrics = context.service.metrics(window);
  const auto plain = [](auto value) { return Json(value); };
  Json answer{{"window_ms", metrics.window.count()},
              {"latency", chosen(metrics.latency, names, quantiles)},
              {"throughput", chosen(metrics.per_second, names, plain)},
              {"counters", chosen(metrics.counters, names, plain)},
              {"gauges", chosen(metrics.gauges, names, plain)}};
  std::string text = rpc::dump(answer);
  // The latencies are the bulk of it: the last ones go when all is too much.
  while (estimated_tokens(text) > kAnswerTokens && !answer["latency"].empty()) {
    const std::size_t keep = answer["latency"].size() / 2;
    answer["latency"].erase(std::next(answer["latency"].begin(), static_cast<std::ptrdiff_t>(keep)),
                            answer["latency"].end());
    answer["truncated"] = true;
    text = rpc::dump(answer);
  }
  co_return text;
}

}  // namespace

std::vector<mcp::Tool> metrics_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(context,
                            {"metrics_get", "Read metrics",
                             "Latency per operation and stage, throughput per second, counters and "
                             "gauges of the server over a "
                             "window. Use pool_monitor for pools, explain for one task."},
                            metrics_get));
  return tools;
}

}  // namespace mahavishnu::tools
