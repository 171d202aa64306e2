// Implementation of mcp::typed (tool.h).
#pragma once

#include "mcp/tool.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {

template <class In, class Out>
ToolHandler typed(std::function<base::awaitable<base::Result<Out>>(In, Call&)> handler) {
  return [handler = std::move(handler)](Json arguments, Call& call) -> base::awaitable<ToolResult> {
    In input = arguments.get<In>();
    base::Result<Out> output = co_await handler(std::move(input), call);
    if (!output) co_return base::fail(output.error());
    co_return rpc::dump(Json(*output));
  };
}

}  // namespace mahavishnu::mcp
