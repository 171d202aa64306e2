// One kept-alive connection of an HttpClient, on cpp-httplib.
//
// Used by one thread; only `cut` may come from another. What cpp-httplib limits is the time without
// a byte; a server that drips is ended by `cut`, which shuts the socket down under the call. It
// does that on a duplicate of the descriptor, so that it can never hit another file that took the
// number.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "net/host_lookup.h"
#include "net/http_client.h"

namespace httplib {
class ClientImpl;
}

namespace mahavishnu::net {

class OutgoingConnection {
 public:
  OutgoingConnection(const Origin& origin, const HttpClientOptions& options, HostLookup& lookup);
  ~OutgoingConnection();

  // A connection is there when a call comes, and its thread has been through one; nothing where
  // there is one, or with TLS.
  void open(base::MonoTime until);

  struct Outcome {
    base::Result<HttpReply> reply;
    bool made = false;  // a connection, in `connect_time`
    std::chrono::microseconds connect_time{0};
    bool reused = false;
  };
  // Before a call is watched: what `cut` does from now on is meant for it.
  void begin();
  // `settled` is called when `enough` says that nothing more is needed.
  Outcome call(const HttpCall& call, bool gzip, base::MonoTime until,
               const std::function<void()>& settled);

  // Ends what is under way, if anything is. Any thread.
  void cut();

 private:
  struct Body;
  void took_socket(int socket);
  void handshake_done();
  bool stale() const;
  bool was_cut() const;
  void gather(bool on);
  void close();
  void rehearse(base::MonoTime until);
  base::Status connect(base::MonoTime until);
  base::Error broken(int error, base::MonoTime until) const;
  base::Result<HttpReply> exchange(const HttpCall& call, bool gzip, base::MonoTime until,
                                   Body& body);

  const Origin& origin_;
  const HttpClientOptions& options_;
  HostLookup& lookup_;
  std::unique_ptr<httplib::ClientImpl> client_;
  std::size_t address_ = 0;    // of those of the host, the one that answered last
  std::size_t addresses_ = 1;  // it has
  bool silent_ = false;        // it was broken off before a byte of an answer
  bool not_sent_ = false;      // the last exchange did not get as far as a connection

  bool fresh_ = false;  // no call has been answered on this connection
  bool made_ = false;   // since the last call
  base::MonoTime began_{};
  std::chrono::microseconds connect_time_{0};

  mutable std::mutex mutex_;
  int guarded_ = -1;  // a duplicate of the socket
  bool cut_ = false;
};

}  // namespace mahavishnu::net
