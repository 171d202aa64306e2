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
#include "app/local_door.h"
#include "app/secrets.h"
#include "app/tls_door.h"
#include "base/task_group.h"
#include "mcp/server.h"
#include "net/http_server.h"

namespace mahavishnu::app {

struct HttpDoor {
  Address address;
  std::optional<std::string> token;  // nullopt: --no-auth
  mcp::View view;
};

class Doors {
 public:
  // `background`: a bridge started this server; `make_room` is called when a newer one may take
  // over. `recording`: of what clients say, or nullptr.
  Doors(asio::any_io_executor control, Engine& engine, const Setup& setup, bool background,
        Recording* recording, std::function<void()> make_room);
  ~Doors();

  // The socket of the data directory.
  base::Status open_socket() { return local_.open(); }
  // Answers the address with the port that was really taken.
  base::Result<Address> open_http(HttpDoor door);
  // /metrics, /livez and /readyz without a token, for a collector on this machine. InvalidArgument:
  // the address is not a loopback one.
  base::Result<Address> open_metrics(Address address);

  // Clients on the socket; those over HTTP come and go with each request.
  int clients() const { return local_.clients(); }

  // Tells bridges that the server ends in good order.
  void announce_end() { local_.announce_end(); }
  // No new connections and requests; what is answered goes on.
  void stop_accepting();
  base::awaitable<void> stop();

 private:
  LocalDoor::Options local_options(bool background, std::function<void()> make_room);
  base::Result<std::string> lend_http(const Hello& hello);
  void return_http();
  std::string listening() const;
  static base::awaitable<void> close_http(std::unique_ptr<net::HttpServer> server,
                                          std::unique_ptr<TlsDoor> tls);
  rpc::HttpRest route(std::shared_ptr<rpc::HttpExchange> exchange);
  base::Result<std::string> who(std::string_view token);
  void answer_resource_metadata(rpc::HttpExchange& exchange) const;
  rpc::HttpRest route_mcp(std::shared_ptr<rpc::HttpExchange> exchange);
  // False: the path is none of operations.
  bool route_operations(rpc::HttpExchange& exchange) const;
  std::string readiness() const;

  asio::any_io_executor control_;
  Engine& engine_;
  const Setup& setup_;
  Recording* recording_;
  std::optional<HttpDoor> door_;
  std::optional<TokenCheck> token_;
  std::string challenge_;         // what a 401 says besides, for clients of the issuer
  std::unique_ptr<TlsDoor> tls_;  // null: http_ speaks plain HTTP
  std::unique_ptr<net::HttpServer> http_;
  std::unique_ptr<net::HttpServer> metrics_;
  std::optional<Address> listens_;  // while http_ does
  int borrowers_ = 0;               // clients on whose behalf it does; 0: it is the server's own
  LocalDoor local_;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
