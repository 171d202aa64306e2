// What the URL of the MCP endpoint says of the tools behind it: a client that can be given nothing
// but a URL chooses them so.
//
//   /mcp                       what the server was started with
//   /mcp/readonly              of that, what changes nothing
//   /mcp/x/TOOLSET             that toolset alone
//   /mcp/x/TOOLSET/readonly    of it, what changes nothing
//
// /sse, where clients of 2024-11-05 find their stream, has the same below it. A URL never shows
// more than the server was started with. Pure; any thread.
#pragma once

#include <string_view>

#include "base/result.h"
#include "mcp/server.h"

namespace mahavishnu::app {

// Whether a path is the MCP endpoint's or below it, or the same of the old stream; others are not
// this file's business.
bool is_mcp_path(std::string_view path);
bool is_sse_path(std::string_view path);

// `served`: what the server was started with. NotFound: the path is none of the above, or names a
// toolset that is not served.
base::Result<mcp::View> view_of(std::string_view path, mcp::View served);

}  // namespace mahavishnu::app
