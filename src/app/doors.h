// The ways into a running engine: HTTP and the local Unix socket (stdio is serve's own).
//
// It decides who may come in and what each door sees; what is said there is the engine's. Control
// thread only. Lifetime: shorter than the engine; await stop() before destruction.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/address.h"
#include "app/engine.h"
#include "app/secrets.h"
#include "base/task_group.h"
#include "mcp/server.h"
#include "net/http_server.h"
#include "net/unix_socket.h"

namespace mahavishnu::app {

struct HttpDoor {
  Address address;
  std::optional<std::string> token;  // nullopt: --no-auth
  mcp::View view;
};

class Doors {
 public:
  Doors(asio::any_io_executor control, Engine& engine, const Config& config);
  ~Doors();

  // The socket of the data directory. Full rights: it is the same user's.
  base::Status open_socket();
  // Answers the address with the port that was really taken.
  base::Result<Address> open_http(HttpDoor door);

  // No new connections and requests; what is answered goes on.
  void stop_accepting();
  base::awaitable<void> stop();

 private:
  struct Peer;
  base::awaitable<void> accept();
  static base::awaitable<void> serve(Doors* self, std::unique_ptr<rpc::Connection> connection);
  rpc::HttpRest route(std::shared_ptr<rpc::HttpExchange> exchange);
  std::string readiness() const;

  asio::any_io_executor control_;
  Engine& engine_;
  const Config& config_;
  std::optional<HttpDoor> door_;
  std::optional<TokenCheck> token_;
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<net::UnixListener> listener_;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
