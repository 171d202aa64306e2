// What a credential may call: the one table of which tool needs which scope.
#pragma once

#include <array>
#include <string_view>

#include "mcp/tool.h"

namespace mahavishnu::tools {

// Each may do what those before it may.
enum class Scope {
  Read,   // tools that change nothing
  Run,    // and those that run, cancel and remember work
  Admin,  // and those below
};

// What changes the server for everybody, and what tells of everybody.
inline constexpr std::array<std::string_view, 6> kAdministration{
    "audit_search", "pool_spawn", "pool_scale", "pool_close", "breaker_reset", "cache_invalidate"};

// The least scope that may call it.
Scope scope_of(const mcp::Tool& tool);

}  // namespace mahavishnu::tools
