// Ends TLS in front of an HTTP server: takes connections, shakes hands, and carries plain bytes
// between each and one end of a socket pair, whose other end the server has.
//
// All of it happens on a thread of its own, so that handshakes (a signature of 0.1 to 2 ms each)
// hold up nobody else; to the HTTP connection it is a peer like another, that is slow where the
// client is slow. Bounds: `max_connections`, each with two buffers; a handshake has
// `handshake_time`; a connection that ends has `end_time` for its last bytes. A client that speaks
// plain HTTP is told so. `carry`, `put` and `stats` from any thread. Lifetime: stop() and await it
// before destruction once something was carried; after the HTTP server's, whose last answers it
// carries.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <thread>

#include "base/asio.h"
#include "base/task_group.h"
#include "base/time.h"
#include "net/tls_identity.h"

namespace mahavishnu::net {

class TlsTerminator {
 public:
  struct Options {
    std::size_t max_connections = 10000;
    base::Millis handshake_time{10000};
    base::Millis end_time{2000};
  };
  TlsTerminator(TlsIdentityPtr identity, Options options);
  ~TlsTerminator();
  TlsTerminator(const TlsTerminator&) = delete;
  TlsTerminator& operator=(const TlsTerminator&) = delete;

  // Takes the descriptor of an accepted connection. `plain` gets that of its plain side, to own, on
  // the terminator's thread, once hands are shaken; never, when that fails.
  void carry(int connection, std::function<void(int plain)> plain);

  // Handshakes that begin from now on use it.
  void put(TlsIdentityPtr identity);

  // Connections have `end_time` to end by themselves.
  base::awaitable<void> stop();

  struct Stats {
    std::uint64_t handshakes = 0;  // that were finished
    std::uint64_t failed = 0;      // that were not: by error, by time, or for want of room
    std::int64_t connections = 0;  // now
  };
  Stats stats() const { return {handshakes_, failed_, connections_}; }

 private:
  struct Link;
  base::awaitable<void> serve(std::shared_ptr<Link> link, std::function<void(int)> plain);
  base::awaitable<bool> shake_hands(Link& link);
  base::awaitable<void> upwards(std::shared_ptr<Link> link);
  base::awaitable<void> downwards(Link& link);
  base::awaitable<void> say_goodbye(Link& link);
  base::awaitable<void> end(std::function<void()> ended);

  Options options_;
  std::atomic<std::uint64_t> handshakes_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::int64_t> connections_{0};
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> open_{io_.get_executor()};
  // The thread's own from here on.
  TlsIdentityPtr identity_;
  std::set<Link*> links_;
  bool ending_ = false;
  base::TaskGroup group_{io_.get_executor(), "tls"};
  base::TaskGroup own_{io_.get_executor(), "tls end"};
  std::thread thread_;
};

}  // namespace mahavishnu::net
