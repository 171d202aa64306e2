// Tools `breaker_list` and `breaker_reset`: which targets outside are not called for now, and why.
#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/registry.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kTargetBytes = 512;

Json view_of(const domain::BreakerView& breaker) {
  Json view{{"target", breaker.target},          {"state", domain::to_string(breaker.state)},
            {"allowed", breaker.counts.allowed}, {"refused", breaker.counts.refused},
            {"failed", breaker.counts.failed},   {"failed_in_a_row", breaker.counts.in_a_row},
            {"opened", breaker.counts.opened},   {"cool_down_ms", breaker.cool_down.count()}};
  if (breaker.in_state.count() >= 0) view["in_state_ms"] = breaker.in_state.count();
  if (breaker.state == domain::BreakerState::Open) view["retry_in_ms"] = breaker.retry_in.count();
  if (!breaker.last_error.empty()) view["last_error"] = breaker.last_error;
  return view;
}

base::awaitable<mcp::ToolResult> breaker_list(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  ItemList list(Json::object());
  for (const auto& breaker : context.breakers.list()) {
    if (!list.add(view_of(breaker))) break;
  }
  co_return list.finish("items", "");
}

base::awaitable<mcp::ToolResult> breaker_reset(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  const std::string target = reader.required_text("target", kTargetBytes);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  if (auto done = context.breakers.reset(target); !done) co_return fail(done.error());
  co_return rpc::dump(Json{{"target", target}, {"state", "closed"}});
}

}  // namespace

std::vector<mcp::Tool> breaker_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  About list{"breaker_list", "List circuit breakers",
             "The targets outside that are called, whether calls to them are let through, and why "
             "not. Use memory_sync for what waits because of it."};
  list.toolset = "ops";
  tools.push_back(make_tool(context, std::move(list), breaker_list));
  About reset{"breaker_reset", "Reset a circuit breaker",
              "Let calls to a target through again at once, without waiting for its cool-down.",
              mcp::Effect::Idempotent};
  reset.toolset = "ops";
  tools.push_back(make_tool(context, std::move(reset), breaker_reset));
  return tools;
}

}  // namespace mahavishnu::tools
