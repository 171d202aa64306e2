#include "net/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/log.h"
#include "base/time.h"

namespace mahavishnu::net {
namespace {

using base::ErrorCode;
using base::fail;
using Socket = asio::local::stream_protocol::socket;
using Endpoint = asio::local::stream_protocol::endpoint;
using ConnectionResult = base::Result<std::unique_ptr<rpc::Connection>>;

constexpr base::Millis kPause{100};  // after a shortage of descriptors
constexpr const char* kUnfinished = "~";

constexpr std::size_t kMaxPath = sizeof(sockaddr_un::sun_path) - 1;

base::Status check_length(const std::string& path, std::size_t max) {
  if (path.size() <= max) return {};
  return fail(ErrorCode::InvalidArgument, "the socket path " + path + " has " +
                                              std::to_string(path.size()) +
                                              " bytes, a Unix socket takes " + std::to_string(max) +
                                              "; choose a shorter directory");
}

// Takes over what a dead server left, and nothing else.
base::Status check_free(const std::string& path) {
  struct stat file {};
  if (::lstat(path.c_str(), &file) != 0) return {};
  if (!S_ISSOCK(file.st_mode)) {
    return fail(ErrorCode::InvalidArgument, path + " is not a socket; remove it or choose another");
  }
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const Endpoint endpoint(path);
  const bool connected =
      ::connect(probe, endpoint.data(), static_cast<socklen_t>(endpoint.size())) == 0;
  const bool answered = connected || errno == EAGAIN;  // EAGAIN: it listens and is busy
  ::close(probe);
  if (answered) return fail(ErrorCode::Conflict, "a server already listens on " + path);
  return {};
}

std::unique_ptr<rpc::Connection> make_connection(const asio::any_io_executor& executor,
                                                 Socket socket, StreamLimits limits) {
  const int fd = socket.release();
  auto end = std::make_shared<StreamEnd>(executor, fd);
  return std::make_unique<StreamConnection>(executor, "socket:" + std::to_string(fd), end, end,
                                            limits);
}

bool same_user(Socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         peer.uid == ::geteuid();
}

base::Status failed(const std::string& what, const std::string& path, const char* reason) {
  return fail(ErrorCode::Unavailable, what + " " + path + ": " + reason);
}

}  // namespace

UnixListener::UnixListener(asio::any_io_executor executor, std::string path, StreamLimits limits)
    : executor_(executor),
      path_(std::move(path)),
      limits_(limits),
      acceptor_(executor),
      pause_(executor) {}

UnixListener::~UnixListener() { close(); }

base::Result<std::unique_ptr<UnixListener>> UnixListener::open(asio::any_io_executor executor,
                                                               std::string path,
                                                               StreamLimits limits) {
  if (auto fits = check_length(path, kMaxPath - std::strlen(kUnfinished)); !fits) {
    return fail(std::move(fits.error()));
  }
  if (auto is_free = check_free(path); !is_free) return fail(std::move(is_free.error()));
  std::unique_ptr<UnixListener> listener(
      new UnixListener(std::move(executor), std::move(path), limits));
  if (auto bound = listener->bind_and_listen(); !bound) return fail(std::move(bound.error()));
  return listener;
}

base::Status UnixListener::bind_and_listen() {
  const std::string unfinished = path_ + kUnfinished;
  ::unlink(unfinished.c_str());
  asio::error_code error;
  acceptor_.open(asio::local::stream_protocol(), error);
  // On Linux the file gets the mode of the socket, less the umask: never more than 0600.
  if (!error && ::fchmod(acceptor_.native_handle(), 0600) != 0) {
    return failed("restricting", path_, std::strerror(errno));
  }
  if (!error) acceptor_.bind(Endpoint(unfinished), error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (error) return failed("listening on", path_, error.message().c_str());
  struct stat file {};
  if (::chmod(unfinished.c_str(), 0600) != 0 || ::lstat(unfinished.c_str(), &file) != 0 ||
      ::rename(unfinished.c_str(), path_.c_str()) != 0) {
    const int reason = errno;
    ::unlink(unfinished.c_str());
    return failed("placing the socket", path_, std::strerror(reason));
  }
  device_ = file.st_dev;
  inode_ = file.st_ino;
  listening_ = true;
  return {};
}

base::awaitable<ConnectionResult> UnixListener::accept() {
  while (!closed_) {
    auto [error, socket] = co_await acceptor_.async_accept(base::as_result);
    if (error == asio::error::operation_aborted) break;
    if (error) {
      base::log()->warn("accepting on {}: {}; trying again", path_, error.message());
      pause_.expires_after(kPause);
      const auto [cancelled] = co_await pause_.async_wait(base::as_result);
      if (cancelled) break;
    } else if (!same_user(socket)) {
      base::log()->warn("{}: a peer of another user was turned away", path_);
    } else {
      co_return make_connection(executor_, std::move(socket), limits_);
    }
  }
  co_return fail(ErrorCode::Cancelled, "the listener on " + path_ + " was closed");
}

void UnixListener::close() {
  if (closed_) return;
  closed_ = true;
  asio::error_code ignored;
  acceptor_.close(ignored);
  pause_.cancel();
  struct stat file {};
  if (listening_ && ::lstat(path_.c_str(), &file) == 0 && file.st_dev == device_ &&
      file.st_ino == inode_) {
    ::unlink(path_.c_str());
  }
}

base::awaitable<ConnectionResult> connect_unix(asio::any_io_executor executor, std::string path,
                                               StreamLimits limits) {
  auto fits = check_length(path, kMaxPath);
  if (!fits) co_return fail(std::move(fits.error()));
  Socket socket(executor);
  const Endpoint endpoint(path);
  const auto [error] = co_await socket.async_connect(endpoint, base::as_result);
  if (error) {
    co_return fail(ErrorCode::Unavailable,
                   "no server listens on " + path + " (" + error.message() + ")");
  }
  co_return make_connection(executor, std::move(socket), limits);
}

}  // namespace mahavishnu::net
