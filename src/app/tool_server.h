// An MCP server that is started for one conversation and speaks on its stdin and stdout.
//
// Its stderr is ours. It is asked in the modern way first; one that ends itself at that, or is
// silent, is started once more for a handshake. `leave` ends it: by the end of its stdin, or else
// by TERM and by KILL. One executor, in a process of one thread (it is started by vfork).
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "net/stream_connection.h"
#include "outbound/mcp_stream.h"

namespace mahavishnu::app {

class ToolServer final : public outbound::McpPeer {
 public:
  using Json = rpc::Json;

  ToolServer(asio::any_io_executor executor, std::vector<std::string> command);
  ~ToolServer() override;

  base::awaitable<outbound::Verdict> connect() override;
  base::awaitable<outbound::Verdict> request(std::string method, Json params, Json progress,
                                             Heard heard) override;
  base::awaitable<void> cancel(std::string why) override;
  void abandon() override;
  base::awaitable<void> leave() override;
  const std::string& version() const override;

 private:
  struct Running;
  base::Status start();
  base::awaitable<bool> gone_within(base::Millis limit);
  std::string how_it_ended() const;

  asio::any_io_executor executor_;
  const std::vector<std::string> command_;
  std::unique_ptr<Running> running_;
  bool abandoned_ = false;
};

}  // namespace mahavishnu::app
