// A tool for each scope, without handlers.
#pragma once

#include <string>
#include <utility>

#include "mcp/tool.h"

namespace mahavishnu::app {

inline mcp::Tool tool(std::string name, mcp::Effect effect = mcp::Effect::ReadOnly) {
  mcp::Tool made;
  made.name = std::move(name);
  made.effect = effect;
  return made;
}

inline const mcp::Tool kRead = tool("task_list");
inline const mcp::Tool kRun = tool("task_submit", mcp::Effect::Destructive);
inline const mcp::Tool kAdmin = tool("pool_close", mcp::Effect::Destructive);

}  // namespace mahavishnu::app
