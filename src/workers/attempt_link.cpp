#include "workers/attempt_link.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <cerrno>

namespace mahavishnu::workers {

AttemptLink::AttemptLink(asio::any_io_executor control, Descriptor socket, Fence fence,
                         Events events)
    : socket_(std::move(control)), events_(std::move(events)), fence_(fence) {
  ::fcntl(socket.get(), F_SETFL, O_NONBLOCK);
  socket_.assign(socket.release());
}

void AttemptLink::open() { wait_read(); }

void AttemptLink::close() {
  events_ = Events{};
  asio::error_code ignored;
  if (socket_.is_open()) socket_.close(ignored);
}

void AttemptLink::wait_read() {
  socket_.async_wait(asio::posix::stream_descriptor::wait_read,
                     [self = shared_from_this()](asio::error_code error) {
                       if (!error && self->socket_.is_open()) self->receive();
                     });
}

// A few reads at a time, so that one talkative attempt does not keep the thread.
void AttemptLink::receive() {
  char chunk[16384];
  for (int turns = 0; turns < 8; ++turns) {
    const ssize_t got = ::recv(socket_.native_handle(), chunk, sizeof chunk, MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (got > 0) in_.add({chunk, static_cast<std::size_t>(got)});
    while (const auto frame = in_.next()) {
      if (events_.frame) events_.frame(fence_, *frame);
      if (!socket_.is_open()) return;
    }
    if (got <= 0 || in_.broken()) return lost();
    if (static_cast<std::size_t>(got) < sizeof chunk) break;
  }
  wait_read();
}

void AttemptLink::lost() {
  const auto closed = std::move(events_.closed);
  close();
  if (closed) closed(fence_);
}

void AttemptLink::send(const std::string& frame) {
  if (!socket_.is_open()) return;
  out_ += frame;
  if (!writing_) push();
}

void AttemptLink::push() {
  std::size_t done = 0;
  while (done < out_.size()) {
    const ssize_t sent = ::send(socket_.native_handle(), out_.data() + done, out_.size() - done,
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (sent < 0) {
      out_.clear();  // the shim is gone; receive() tells
      return;
    }
    done += static_cast<std::size_t>(sent);
  }
  out_.erase(0, done);
  if (!out_.empty()) wait_write();
}

void AttemptLink::wait_write() {
  writing_ = true;
  socket_.async_wait(asio::posix::stream_descriptor::wait_write,
                     [self = shared_from_this()](asio::error_code error) {
                       self->writing_ = false;
                       if (!error && self->socket_.is_open()) self->push();
                     });
}

}  // namespace mahavishnu::workers
