// One MCP server as its client sees it, whatever carries the messages.
//
// `connect` finds out which era it is of; then requests are made, one at a time. Coroutines of one
// executor; the object outlives them.
#pragma once

#include <functional>
#include <string>

#include "base/asio.h"
#include "base/time.h"
#include "outbound/mcp_protocol.h"

namespace mahavishnu::outbound {

class McpPeer {
 public:
  // Told of each notification that comes while an answer is waited for, on the executor.
  using Heard = std::function<void(const Json& notification)>;
  virtual ~McpPeer() = default;

  // Accepted, with what the server says of itself, Trouble or Cancelled.
  virtual base::awaitable<Verdict> connect() = 0;
  // `params` without what every request carries; `progress`: the token to tell progress by, null:
  // it need not be told. Ends with Cancelled once the peer was abandoned.
  virtual base::awaitable<Verdict> request(std::string method, Json params, Json progress,
                                           Heard heard) = 0;
  // The request under way is not wanted any more: the server is told so, in the way of its era.
  virtual base::awaitable<void> cancel(std::string why) = 0;
  // Breaks off whatever is under way, without a word.
  virtual void abandon() = 0;
  // Ends the conversation in good order, within moments; what is under way comes to nothing.
  virtual base::awaitable<void> leave() = 0;
  // "2026-07-28"; "" before connect.
  virtual const std::string& version() const = 0;
};

}  // namespace mahavishnu::outbound
