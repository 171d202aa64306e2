// Connections over a Unix socket, for clients of the same user on the same machine.
//
// The socket appears under its path already listening and with mode 0600 (it is bound beside it and
// renamed), so that there is no moment at which others may connect or a client is refused by a
// half-made one. A path that a live server answers on is never taken over. One executor.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "net/stream_connection.h"

namespace mahavishnu::net {

class UnixListener {
 public:
  // InvalidArgument: the path is too long for a socket; Conflict: somebody listens there.
  static base::Result<std::unique_ptr<UnixListener>> open(asio::any_io_executor executor,
                                                          std::string path,
                                                          StreamLimits limits = {});
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;

  // The next peer of this user; others are turned away. It waits out a shortage of descriptors.
  // Cancelled after close(). One caller at a time.
  base::awaitable<base::Result<std::unique_ptr<rpc::Connection>>> accept();

  // Idempotent; removes the path if it is still this listener's.
  void close();

  const std::string& path() const { return path_; }

 private:
  UnixListener(asio::any_io_executor executor, std::string path, StreamLimits limits);
  base::Status bind_and_listen();

  asio::any_io_executor executor_;
  std::string path_;
  StreamLimits limits_;
  asio::local::stream_protocol::acceptor acceptor_;
  asio::steady_timer pause_;
  bool listening_ = false;
  bool closed_ = false;
  dev_t device_ = 0;  // of the socket's file, to know it again
  ino_t inode_ = 0;
};

// Unavailable when nobody listens on `path`.
base::awaitable<base::Result<std::unique_ptr<rpc::Connection>>> connect_unix(
    asio::any_io_executor executor, std::string path, StreamLimits limits = {});

}  // namespace mahavishnu::net
