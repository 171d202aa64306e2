// The transport HTTP+SSE of 2024-11-05, for clients that know no other.
//
// A GET is answered with an event stream whose first event, `endpoint`, is where the client POSTs
// its messages; each is answered 202, and what there is to say to it comes on the stream. The
// stream is the session: it ends with it. To the protocol it is a connection like stdio. A session
// works for the caller that opened it, and may what its last message's credential may. One
// executor. Lifetime: longer than the streams.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/asio.h"
#include "mcp/dispatcher.h"
#include "rpc/connection.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::mcp {

class SseDoor {
 public:
  // `serve` speaks MCP on a connection until its end.
  using Serve = std::function<base::awaitable<void>(rpc::Connection& connection, View view)>;
  SseDoor(Dispatcher& dispatcher, Serve serve);
  ~SseDoor();

  rpc::HttpRest open(std::shared_ptr<rpc::HttpExchange> exchange, View view);
  // Of Server::kMessagesPath with the session in the query, as `endpoint` told.
  void post(rpc::HttpExchange& exchange, const View& view);

  std::size_t size() const { return streams_.size(); }

 private:
  class Stream;
  base::awaitable<void> serve_stream(std::shared_ptr<Stream> stream,
                                     std::shared_ptr<rpc::HttpExchange> exchange, View view);

  Dispatcher& dispatcher_;
  Serve serve_;
  std::unordered_map<std::string, std::shared_ptr<Stream>> streams_;  // by session id
};

}  // namespace mahavishnu::mcp
