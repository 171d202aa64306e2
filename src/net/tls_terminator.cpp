#include "net/tls_terminator.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "base/log.h"
#include "net/asio_ssl.h"
#include "net/signal.h"

namespace mahavishnu::net {
namespace {

using asio::ip::tcp;
using base::awaitable;

constexpr std::size_t kUp = 4096;     // requests are small, and wait here for hours
constexpr std::size_t kDown = 16384;  // a record of TLS
constexpr std::string_view kPlainHttp =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 85\r\n"
    "Connection: close\r\n\r\n"
    "{\"error\":{\"code\":\"InvalidArgument\",\"message\":\"this port speaks HTTPS: use "
    "https://\"}}";

bool is_plain_http(const asio::error_code& error) {
  if (error.category() != asio::error::get_ssl_category()) return false;
  return ERR_GET_REASON(static_cast<unsigned long>(error.value())) == SSL_R_HTTP_REQUEST;
}

}  // namespace

struct TlsTerminator::Link : std::enable_shared_from_this<Link> {
  Link(asio::io_context& io, tcp::socket socket, TlsIdentityPtr its_identity)
      : identity(std::move(its_identity)),
        peer(std::move(socket), *identity->context),
        plain(io),
        deadline(io),
        up_ended(io.get_executor()) {}

  // Closes all of it when the time is over.
  void close_in(base::Millis time) {
    deadline.expires_after(time);
    deadline.async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
      const auto self = weak.lock();
      if (!cancelled && self) self->close();
    });
  }
  void close() {
    asio::error_code ignored;
    peer.next_layer().close(ignored);
    plain.close(ignored);
  }

  TlsIdentityPtr identity;
  asio::ssl::stream<tcp::socket> peer;
  asio::local::stream_protocol::socket plain;
  asio::steady_timer deadline;
  bool reading = false;  // from the peer
  Signal up_ended;
};

TlsTerminator::TlsTerminator(TlsIdentityPtr identity, Options options)
    : options_(options), identity_(std::move(identity)), thread_([this] { io_.run(); }) {}

TlsTerminator::~TlsTerminator() {
  open_.reset();
  if (thread_.joinable()) thread_.join();
}

void TlsTerminator::put(TlsIdentityPtr identity) {
  asio::post(io_,
             [this, identity = std::move(identity)]() mutable { identity_ = std::move(identity); });
}

void TlsTerminator::carry(int connection, std::function<void(int)> plain) {
  asio::post(io_, [this, connection, plain = std::move(plain)]() mutable {
    tcp::socket socket(io_);
    asio::error_code error;
    socket.assign(tcp::v4(), connection, error);  // to Asio a stream is a stream
    if (error) ::close(connection);
    if (error || ending_ || links_.size() >= options_.max_connections) {
      ++failed_;
      return;
    }
    auto link = std::make_shared<Link>(io_, std::move(socket), identity_);
    links_.insert(link.get());
    group_.spawn(serve(std::move(link), std::move(plain)));
  });
}

awaitable<void> TlsTerminator::serve(std::shared_ptr<Link> link, std::function<void(int)> plain) {
  const bool agreed = co_await shake_hands(*link);
  std::array<int, 2> pair{};
  if (agreed && ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) == 0) {
    ++handshakes_;
    ++connections_;
    asio::error_code ignored;
    link->plain.assign(asio::local::stream_protocol(), pair[0], ignored);
    plain(pair[1]);
    link->reading = true;
    group_.spawn(upwards(link));
    co_await downwards(*link);
    co_await say_goodbye(*link);
    --connections_;
  } else {
    ++failed_;
  }
  link->deadline.cancel();
  links_.erase(link.get());
}

awaitable<bool> TlsTerminator::shake_hands(Link& link) {
  link.close_in(options_.handshake_time);
  const auto [error] =
      co_await link.peer.async_handshake(asio::ssl::stream_base::server, base::as_result);
  if (!error) {
    link.deadline.cancel();
    co_return true;
  }
  base::log()->debug("tls: a handshake failed: {}", error.message());
  if (is_plain_http(error)) {
    co_await asio::async_write(link.peer.next_layer(), asio::buffer(kPlainHttp), base::as_result);
  }
  co_return false;
}

// From the client to the server, until either ends.
awaitable<void> TlsTerminator::upwards(std::shared_ptr<Link> link) {
  std::vector<char> buffer(kUp);
  while (true) {
    const auto [error, bytes] =
        co_await link->peer.async_read_some(asio::buffer(buffer), base::as_result);
    if (error) break;
    const auto [unwritten, written] = co_await asio::async_write(
        link->plain, asio::buffer(buffer.data(), bytes), base::as_result);
    if (unwritten) break;
  }
  asio::error_code ignored;
  link->plain.shutdown(asio::socket_base::shutdown_send, ignored);
  link->reading = false;
  link->up_ended.notify();
}

// From the server to the client, until either ends.
awaitable<void> TlsTerminator::downwards(Link& link) {
  std::vector<char> buffer(kDown);
  while (true) {
    const auto [waited] =
        co_await link.plain.async_wait(asio::socket_base::wait_read, base::as_result);
    if (waited) co_return;
    const auto [error, bytes] =
        co_await link.plain.async_read_some(asio::buffer(buffer), base::as_result);
    if (error) co_return;
    const auto [unwritten, written] =
        co_await asio::async_write(link.peer, asio::buffer(buffer.data(), bytes), base::as_result);
    if (unwritten) co_return;
  }
}

// The server has ended it: the client is told, and what it still sends is read past, so that the
// last answer is not lost to a reset.
awaitable<void> TlsTerminator::say_goodbye(Link& link) {
  link.close_in(options_.end_time);
  asio::error_code ignored;
  link.plain.close(ignored);
  auto& socket = link.peer.next_layer();
  if (link.reading) {
    socket.cancel(ignored);
    while (link.reading && socket.is_open()) co_await link.up_ended.wait();
  }
  co_await link.peer.async_shutdown(base::as_result);
  socket.shutdown(asio::socket_base::shutdown_send, ignored);
  std::array<char, 512> dropped{};
  for (bool more = true; more && socket.is_open();) {
    const auto [error, bytes] =
        co_await socket.async_read_some(asio::buffer(dropped), base::as_result);
    more = !error;
  }
}

awaitable<void> TlsTerminator::stop() {
  const auto executor = co_await asio::this_coro::executor;
  const auto over = std::make_shared<std::pair<Signal, bool>>(Signal(executor), false);
  asio::post(io_, [this, executor, over] {
    own_.spawn(end([executor, over] {
      asio::post(executor, [over] {
        over->second = true;
        over->first.notify();
      });
    }));
  });
  while (!over->second) co_await over->first.wait();
  open_.reset();
  if (thread_.joinable()) thread_.join();
}

awaitable<void> TlsTerminator::end(std::function<void()> ended) {
  ending_ = true;
  asio::steady_timer patience(io_, options_.end_time);
  patience.async_wait([this](const asio::error_code& cancelled) {
    if (cancelled) return;
    for (Link* link : links_) link->close();
  });
  co_await group_.join();
  patience.cancel();
  ended();
}

}  // namespace mahavishnu::net
