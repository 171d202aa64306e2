// One call of a tool of another MCP server, as a process of its own: `mahavishnu __mcp`.
//
// Started by a shim for an attempt of a pool of type mcp (workers/mcp_executor.h, decision 0173).
// It reads what to call from stdin, speaks with the server, writes the answer's text to stdout,
// what the server tells meanwhile to stderr, and the rest to its report. SIGTERM cancels the call
// at the server. It exits with a ToolOutcome::Exit.
#pragma once

#include <string>

#include "base/result.h"
#include "domain/types.h"
#include "rpc/json.h"

namespace mahavishnu::app {

struct ToolOrder {
  domain::PoolSettings server;
  std::string tool;
  rpc::Json arguments;
};
// What workers::call_text wrote. InvalidArgument: it is no such thing.
base::Result<ToolOrder> read_tool_order(const std::string& text);

// Called by main() for `__mcp`.
int tool_attempt_main();

}  // namespace mahavishnu::app
