// Parameters of a tool that a client repeats in headers, so that a proxy can route by them
// (`x-mcp-header` in the input schema; 2026-07-28, basic/transports/streamable-http, "Custom
// Headers from Tool Parameters"). Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rpc/json.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

struct HeaderParam {
  std::string header;             // "Mcp-Param-Region"
  std::vector<std::string> path;  // property names from the arguments' top
};

// Those of an input schema, in the order of their paths. InvalidArgument says which annotation a
// client would have to refuse the whole tool for.
base::Result<std::vector<HeaderParam>> header_params(const rpc::Json& schema);

// A header's trimmed value; nothing: there is no such header.
using HeaderLookup = std::function<std::optional<std::string_view>(const std::string& name)>;

// -32020 unless every header is there exactly where the arguments have a value, and says the same.
std::optional<rpc::RpcError> check_header_params(const std::vector<HeaderParam>& params,
                                                 const rpc::Json& arguments,
                                                 const HeaderLookup& header);

}  // namespace mahavishnu::mcp
