#include "workers/server_link.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

#include "workers/run_dir.h"
#include "workers/socket_path.h"

namespace mahavishnu::workers {
namespace {

constexpr std::size_t kLongestBacklog = 8U << 20U;  // unsent bytes; a server this slow is lost

}  // namespace

ServerLink::~ServerLink() {
  if (listener_) ::unlinkat(folder_.get(), name_.c_str(), 0);
}

std::optional<ShimOrder> ServerLink::take_order() {
  char chunk[16384];
  while (socket_) {
    while (const auto frame = in_.next()) {
      if (frame->kind != Kind::Order) continue;
      if (auto order = decode_order(frame->body)) return order;
      lost();
      return std::nullopt;
    }
    const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got <= 0 || in_.broken()) {
      lost();
    } else {
      in_.add({chunk, static_cast<std::size_t>(got)});
    }
  }
  return std::nullopt;
}

void ServerLink::listen_at(const std::string& run_dir, Fence fence) {
  if (!folder_) {
    folder_.reset(::open(attempts_dir(run_dir).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }
  name_ = socket_name(fence);
  if (!socket_) start_listening();
}

void ServerLink::start_listening() {
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const SocketPath path(folder_.get(), name_);
  ::unlinkat(folder_.get(), name_.c_str(), 0);
  const bool ready = listener && ::bind(listener.get(), path.address(), path.size()) == 0 &&
                     ::listen(listener.get(), 4) == 0;
  if (ready) listener_ = std::move(listener);
}

void ServerLink::lost() {
  socket_.reset();
  in_ = FrameBuffer();
  out_.clear();
  alone_since_ = base::mono_now();
  if (!name_.empty() && !listener_) start_listening();
}

bool ServerLink::accept_server() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket) return false;
  socket_ = std::move(socket);
  adopted_ = true;
  alone_since_.reset();
  listener_.reset();
  ::unlinkat(folder_.get(), name_.c_str(), 0);
  return true;
}

void ServerLink::add_polls(std::vector<pollfd>& polls) const {
  if (socket_) {
    polls.push_back(
        {socket_.get(), static_cast<short>(out_.empty() ? POLLIN : POLLIN | POLLOUT), 0});
  } else if (listener_) {
    polls.push_back({listener_.get(), POLLIN, 0});
  }
}

std::vector<Frame> ServerLink::take(const std::vector<pollfd>& polls, bool& adopted) {
  for (const auto& poll : polls) {
    if (poll.revents == 0) continue;
    if (socket_ && poll.fd == socket_.get()) {
      if ((poll.revents & POLLOUT) != 0) push();
      return receive();
    }
    if (listener_ && poll.fd == listener_.get()) {
      adopted = accept_server();
      return {};
    }
  }
  return {};
}

std::vector<Frame> ServerLink::take_now() { return receive(); }

std::vector<Frame> ServerLink::receive() {
  std::vector<Frame> frames;
  char chunk[4096];
  bool over = false;
  while (socket_ && !over) {
    // Before the first recv as well: the order may have brought the next frame along.
    while (auto frame = in_.next()) frames.push_back(std::move(*frame));
    const ssize_t got = ::recv(socket_.get(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    over = got <= 0 || in_.broken();
    if (!over) in_.add({chunk, static_cast<std::size_t>(got)});
  }
  if (over) lost();
  return frames;
}

void ServerLink::send(const std::string& frame) {
  if (!socket_) return;
  out_ += frame;
  push();
  if (out_.size() > kLongestBacklog) lost();
}

void ServerLink::push() {
  std::size_t done = 0;
  while (done < out_.size()) {
    const int flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    const ssize_t sent = ::send(socket_.get(), out_.data() + done, out_.size() - done, flags);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) break;  // full, or gone: receive() sees which
    done += static_cast<std::size_t>(sent);
  }
  out_.erase(0, done);
}

void ServerLink::flush(base::Millis at_most) {
  const auto until = base::mono_now() + at_most;
  while (socket_ && !out_.empty() && base::mono_now() < until) {
    pollfd poll{socket_.get(), POLLOUT, 0};
    ::poll(&poll, 1, 20);
    if ((poll.revents & (POLLERR | POLLHUP)) != 0) return;
    push();
  }
}

}  // namespace mahavishnu::workers
