// The MCP stdio door: a Connection on standard input and output, or any two descriptors.
//
// The descriptors stay the caller's. They are opened anew where that is possible (pipes and
// terminals), so that non-blocking mode does not leak into the parent's shell; otherwise they are
// duplicated and their flags put back at the end. Writing to a pipe whose reader has gone raises
// SIGPIPE: the process must ignore it.
#pragma once

#include <memory>

#include "net/stream_connection.h"

namespace mahavishnu::net {

// InvalidArgument when a descriptor is not open.
base::Result<std::unique_ptr<StreamConnection>> open_stdio(asio::any_io_executor executor,
                                                           int in = 0, int out = 1,
                                                           StreamLimits limits = {});

}  // namespace mahavishnu::net
