// The tools of a server at the other end of a connection, for the client verbs.
//
// One call at a time, each with a time limit, after which the connection is closed. One executor;
// the connection outlives it.
#pragma once

#include "app/tool_door.h"
#include "outbound/mcp_stream.h"

namespace mahavishnu::app {

class McpClient final : public ToolDoor {
 public:
  explicit McpClient(asio::any_io_executor executor, rpc::Connection& connection,
                     base::Millis limit = base::Millis(90000))
      : stream_(std::move(executor), connection, limit) {}

  // Says hello; answers the server's `serverInfo`.
  base::awaitable<base::Result<rpc::Json>> initialize();

  base::awaitable<base::Result<rpc::Json>> call(std::string tool, rpc::Json arguments) override;

 private:
  outbound::McpStream stream_;
};

}  // namespace mahavishnu::app
