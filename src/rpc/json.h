// The document type from the tool's arguments inwards. Included only where JSON is really handled
// (it is a slow header): rpc, mcp, tools and app, never domain.
#pragma once

#include <nlohmann/json.hpp>

namespace mahavishnu::rpc {

using Json = nlohmann::json;  // sorted keys: equal documents print alike

}  // namespace mahavishnu::rpc
