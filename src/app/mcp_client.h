// A small MCP client over any connection: the handshake and tools/call, one at a time.
//
// Each exchange has a time limit, after which the connection is closed. What the server sends
// besides the awaited answer (progress, log messages, a ping) is skipped or answered. One executor;
// the connection outlives it.
#pragma once

#include <cstdint>
#include <string>

#include "app/tool_door.h"
#include "rpc/connection.h"
#include "rpc/message.h"

namespace mahavishnu::app {

class McpClient final : public ToolDoor {
 public:
  explicit McpClient(asio::any_io_executor executor, rpc::Connection& connection,
                     base::Millis limit = base::Millis(90000))
      : timer_(std::move(executor)), connection_(connection), limit_(limit) {}

  // Says hello; answers the server's `serverInfo`.
  base::awaitable<base::Result<rpc::Json>> initialize();

  base::awaitable<base::Result<rpc::Json>> call(std::string tool, rpc::Json arguments) override;

 private:
  base::awaitable<base::Result<rpc::Json>> request(std::string method, rpc::Json params);
  base::awaitable<base::Result<rpc::Json>> answer_to(std::string id);

  asio::steady_timer timer_;
  rpc::Connection& connection_;
  base::Millis limit_;
  std::uint64_t last_id_ = 0;
};

}  // namespace mahavishnu::app
