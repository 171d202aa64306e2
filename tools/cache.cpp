// Tools `cache_stats` and `cache_invalidate`: what caches hold and how well they do; emptying them.
#include <algorithm>

#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/registry.h"

namespace mahavishnu::tools {
namespace {

using Named = base::Caches::Named;

Json cache_view(const Named& cache) {
  const base::CacheStats stats = cache.stats();
  Json view{{"cache", cache.name},
            {"entries", stats.entries},
            {"max_entries", cache.limits.max_entries},
            {"bytes", stats.bytes},
            {"hits", stats.hits},
            {"misses", stats.misses},
            {"hit_ratio", stats.hit_ratio()},
            {"joined", stats.joined},
            {"evicted", stats.evicted},
            {"expired", stats.expired},
            {"invalidated", stats.invalidated}};
  if (cache.limits.ttl.count() > 0) view["ttl_ms"] = cache.limits.ttl.count();
  return view;
}

base::awaitable<mcp::ToolResult> cache_stats(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  Json items = Json::array();
  for (const Named& cache : context.caches.all()) items.push_back(cache_view(cache));
  co_return rpc::dump(Json{{"items", std::move(items)}});
}

base::awaitable<mcp::ToolResult> cache_invalidate(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const std::string name = reader.text("cache");
  const bool one = reader.has("cache");
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const auto& all = context.caches.all();
  const auto meant = [&](const Named& cache) { return !one || cache.name == name; };
  if (std::none_of(all.begin(), all.end(), meant)) {
    std::string names;
    for (const Named& cache : all) names += (names.empty() ? "" : ", ") + cache.name;
    co_return fail(ErrorCode::NotFound, "no cache \"" + name + "\"; there are " + names);
  }
  Json dropped = Json::object();
  for (const Named& cache : all) {
    if (meant(cache)) dropped[cache.name] = cache.clear();
  }
  co_return rpc::dump(Json{{"dropped", std::move(dropped)}});
}

}  // namespace

std::vector<mcp::Tool> cache_tools(Context& context) {
  About stats{"cache_stats", "Show caches",
              "What each cache of the server holds, and how often it had what was asked for. Use "
              "metrics_get for times."};
  stats.toolset = "ops";
  About drop{"cache_invalidate", "Empty caches",
             "Forget what a cache, or all of them, keep, so that the next question is answered "
             "anew. Nothing is lost by it.",
             mcp::Effect::Idempotent};
  drop.toolset = "ops";
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(context, std::move(stats), cache_stats));
  tools.push_back(make_tool(context, std::move(drop), cache_invalidate));
  return tools;
}

}  // namespace mahavishnu::tools
