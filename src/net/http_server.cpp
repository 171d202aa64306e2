#include "net/http_server.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "net/tls_terminator.h"

namespace mahavishnu::net {
namespace {

using asio::ip::tcp;
using base::ErrorCode;
using base::fail;

constexpr base::Millis kAcceptPause{100};  // after a shortage of descriptors or memory
constexpr std::string_view kTooMany =
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 76\r\n"
    "Retry-After: 1\r\nConnection: close\r\n\r\n"
    "{\"error\":{\"code\":\"Unavailable\",\"message\":\"too many connections; try later\"}}";

base::Result<std::vector<asio::ip::address>> addresses_of(const std::string& host) {
  if (host == "localhost") {
    return std::vector<asio::ip::address>{asio::ip::address_v4::loopback(),
                                          asio::ip::address_v6::loopback()};
  }
  asio::error_code error;
  const auto literal = asio::ip::make_address(host, error);
  if (!error) return std::vector{literal};
  // A name server that is dead would hold up the loop, and with it every client.
  return fail(ErrorCode::InvalidArgument,
              "\"" + host + "\" is not an address; names are resolved before a server is asked");
}

base::Error listen_error(const asio::ip::address& address, std::uint16_t port,
                         const asio::error_code& error) {
  const std::string where = address.to_string() + " port " + std::to_string(port);
  if (error == asio::error::address_in_use) {
    return {ErrorCode::Conflict, where + " is in use; choose another port"};
  }
  if (error == asio::error::access_denied) {
    return {ErrorCode::Denied, where + " needs privileges; choose a port over 1023"};
  }
  return {ErrorCode::Unavailable, "listening on " + where + ": " + error.message()};
}

// As a Host header would name it.
std::string local_address(const tcp::socket& socket) {
  asio::error_code ignored;
  auto address = socket.local_endpoint(ignored).address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return address.to_string();
}

void admit(const std::shared_ptr<HttpShared>& shared, tcp::socket socket, std::string local) {
  if (shared->connections.size() >= shared->options.limits.max_connections) {
    ++shared->stats.turned_away;
    ::send(socket.native_handle(), kTooMany.data(), kTooMany.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  ++shared->stats.accepted;
  if (shared->connections.empty()) shared->refresh_clock();
  auto connection = std::make_shared<HttpConnection>(shared, std::move(socket), std::move(local));
  shared->add(connection);
  connection->start();
}

// Its plain side comes back when hands are shaken.
void admit_by_tls(const std::shared_ptr<HttpShared>& shared, tcp::socket socket,
                  std::string local) {
  asio::error_code error;
  const int connection = socket.release(error);
  if (error) return;
  shared->options.tls->carry(connection, [shared, local = std::move(local)](int plain) {
    asio::post(shared->executor, [shared, local, plain] {
      tcp::socket side(shared->executor);
      asio::error_code failed;
      side.assign(tcp::v4(), plain, failed);  // to Asio a stream is a stream
      if (failed) ::close(plain);
      if (!failed && !shared->stopped) admit(shared, std::move(side), local);
    });
  });
}

}  // namespace

HttpServer::HttpServer(asio::any_io_executor executor, HttpOptions options,
                       rpc::HttpHandler handler)
    : shared_(std::make_shared<HttpShared>(executor, std::move(options), std::move(handler))),
      own_(executor, "http server") {}

HttpServer::~HttpServer() = default;

base::Result<std::uint16_t> HttpServer::listen(std::string_view host, std::uint16_t port) {
  std::string name(host);
  if (name.size() > 2 && name.front() == '[' && name.back() == ']') {
    name = name.substr(1, name.size() - 2);
  }
  auto addresses = addresses_of(name);
  if (!addresses) return fail(std::move(addresses.error()));
  const auto bound = listen_on(addresses->front(), port);
  if (!bound) return fail(bound.error());
  if (addresses->size() > 1) {  // ::1 beside 127.0.0.1 is a courtesy, and not everywhere possible
    if (const auto second = listen_on(addresses->back(), *bound); !second) {
      base::log()->debug("{}", second.error().message);
    }
  }
  shared_->hosts.push_back(std::move(name));
  if (!std::exchange(sweeping_, true)) own_.spawn(sweep(shared_));
  return *bound;
}

base::Result<std::uint16_t> HttpServer::listen_on(const asio::ip::address& address,
                                                  std::uint16_t port) {
  auto acceptor = std::make_shared<Acceptor>(shared_->executor);
  const tcp::endpoint endpoint(address, port);
  asio::error_code error;
  acceptor->open(endpoint.protocol(), error);
  if (!error) acceptor->set_option(Acceptor::reuse_address(true), error);
  if (!error) acceptor->set_option(tcp::no_delay(true), error);  // accepted sockets inherit it
  if (!error) acceptor->bind(endpoint, error);
  if (!error) acceptor->listen(asio::socket_base::max_listen_connections, error);
  if (error) return fail(listen_error(address, port, error));
  const auto bound = acceptor->local_endpoint(error);
  if (error) return fail(listen_error(address, port, error));
  shared_->hosts.push_back(address.to_string());
  shared_->wildcard |= address.is_unspecified();
  acceptors_.push_back(acceptor);
  own_.spawn(accept(shared_, acceptor));
  return bound.port();
}

base::awaitable<void> HttpServer::accept(std::shared_ptr<HttpShared> shared,
                                         std::shared_ptr<Acceptor> acceptor) {
  asio::steady_timer pause(shared->executor);
  while (acceptor->is_open()) {
    auto [error, socket] = co_await acceptor->async_accept(base::as_result);
    if (!error) {
      std::string local = shared->wildcard ? local_address(socket) : std::string();
      const auto let_in = shared->options.tls != nullptr ? admit_by_tls : admit;
      let_in(shared, std::move(socket), std::move(local));
    } else if (error == asio::error::operation_aborted) {
      break;
    } else {
      base::log()->warn("accepting connections: {}; trying again", error.message());
      pause.expires_after(kAcceptPause);
      const auto [cancelled] = co_await pause.async_wait(base::as_result);
      if (cancelled) break;
    }
  }
}

base::awaitable<void> HttpServer::sweep(std::shared_ptr<HttpShared> shared) {
  asio::steady_timer timer(shared->executor);
  bool going_on = true;
  while (going_on) {
    timer.expires_after(shared->options.limits.sweep);
    const auto [cancelled] = co_await timer.async_wait(base::as_result);
    going_on = !cancelled;
    shared->refresh_clock();
    // Backwards: one that is removed is replaced by the last, which was swept already.
    auto& all = shared->connections;
    for (std::size_t i = all.size(); going_on && i-- > 0;) {
      if (i < all.size()) all[i]->sweep();
    }
  }
}

void HttpServer::stop_accepting() {
  asio::error_code ignored;
  for (const auto& acceptor : acceptors_) acceptor->close(ignored);
}

base::awaitable<void> HttpServer::stop() {
  stop_accepting();
  shared_->stopped = true;
  own_.cancel();
  shared_->handlers.cancel();
  shared_->flush_all();
  while (!shared_->connections.empty()) shared_->connections.back()->close();
  co_await shared_->handlers.join();
  co_await own_.join();
}

HttpServer::Stats HttpServer::stats() const {
  Stats stats = shared_->stats;
  stats.connections = shared_->connections.size();
  return stats;
}

}  // namespace mahavishnu::net
