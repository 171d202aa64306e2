// An MCP server at the other end of a connection that carries whole messages (stdio, a socket).
//
// Requests one at a time; what the server says besides the awaited answer is told or answered.
// `probe` and `shake_hands` are the two ways to begin; connect() is the second. One executor; the
// connection outlives it.
#pragma once

#include <cstdint>
#include <string>

#include "outbound/mcp_peer.h"
#include "rpc/connection.h"
#include "rpc/message.h"

namespace mahavishnu::outbound {

class McpStream final : public McpPeer {
 public:
  // `limit`: of each request, after which the connection is closed; 0: none.
  McpStream(asio::any_io_executor executor, rpc::Connection& connection,
            base::Millis limit = base::Millis(0))
      : timer_(std::move(executor)), connection_(connection), limit_(limit) {}

  base::awaitable<Verdict> connect() override { return shake_hands(); }
  base::awaitable<Verdict> request(std::string method, Json params, Json progress,
                                   Heard heard) override;
  base::awaitable<void> cancel(std::string why) override;
  void abandon() override;
  base::awaitable<void> leave() override;
  const std::string& version() const override { return version_; }

  // Asks which revisions it speaks. Anything but Accepted: not the modern one; some servers end
  // themselves when they hear it.
  base::awaitable<Verdict> probe();
  base::awaitable<Verdict> shake_hands();
  void set_limit(base::Millis limit) { limit_ = limit; }
  const Json& server_info() const { return server_info_; }

 private:
  base::awaitable<Verdict> answer_to(std::string id, Heard heard);
  base::awaitable<base::Status> meet(rpc::Request request);
  Verdict closed(std::string why) const;

  asio::steady_timer timer_;
  rpc::Connection& connection_;
  base::Millis limit_;
  std::uint64_t last_id_ = 0;
  bool under_way_ = false;
  bool modern_ = false;
  bool abandoned_ = false;
  int noise_ = 0;            // texts that were no messages
  std::string first_noise_;  // the first of them, cut
  std::string version_;
  Json server_info_ = Json::object();
};

}  // namespace mahavishnu::outbound
