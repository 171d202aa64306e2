// The tools of a server reached by its URL: POST /tools/call, as a script would.
//
// Blocks its thread: for the client verbs only, which have nothing else to do.
#pragma once

#include <memory>
#include <string>

#include "app/tool_door.h"

namespace mahavishnu::app {

// InvalidArgument when `url` is not http(s)://HOST[:PORT]. An empty token sends none.
base::Result<std::unique_ptr<ToolDoor>> http_tools(const std::string& url,
                                                   const std::string& token);

}  // namespace mahavishnu::app
