// The HTTP door: listens, checks who comes in, and hands whole requests to one handler.
//
// HTTP/1.1 and 1.0, keep-alive, pipelining, chunked bodies, server-sent events. What a request must
// pass before the handler sees it is in http_gate.h and http_request_parser.h; every refusal has a
// JSON body {"error":{"code","message"}}. It knows no path but the open ones. One executor: it may
// be the control thread's or a net thread's own. `stop` must have been awaited before destruction
// once `listen` succeeded; handlers that still run are cancelled by it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "base/task_group.h"
#include "net/http_connection.h"
#include "net/http_options.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::net {

class HttpServer {
 public:
  HttpServer(asio::any_io_executor executor, HttpOptions options, rpc::HttpHandler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // The port that was bound. `host`: an address, a name, or "localhost" for 127.0.0.1 and, where
  // there is one, ::1. Port 0 takes a free one. May be called again for another address. Conflict:
  // the port is taken; Denied: it needs privileges; InvalidArgument: there is no such host.
  base::Result<std::uint16_t> listen(std::string_view host, std::uint16_t port);

  // New connections are refused from now on; those that are open go on.
  void stop_accepting();

  // Closes everything: pending exchanges learn that their peer is gone, handlers are cancelled and
  // awaited. Idempotent.
  base::awaitable<void> stop();

  using Stats = HttpStats;
  Stats stats() const;

 private:
  using Acceptor = asio::ip::tcp::acceptor;

  base::Result<std::uint16_t> listen_on(const asio::ip::address& address, std::uint16_t port);
  static base::awaitable<void> accept(std::shared_ptr<HttpShared> shared,
                                      std::shared_ptr<Acceptor> acceptor);
  static base::awaitable<void> sweep(std::shared_ptr<HttpShared> shared);

  std::shared_ptr<HttpShared> shared_;
  std::vector<std::shared_ptr<Acceptor>> acceptors_;
  bool sweeping_ = false;
  base::TaskGroup own_;  // the accept loops and the sweep
};

}  // namespace mahavishnu::net
