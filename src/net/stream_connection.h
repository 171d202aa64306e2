// A Connection on descriptors: one message a line, whatever the descriptors are (pipes, sockets,
// terminals, regular files, /dev/null).
//
// Reading takes 64 KiB at a time, so that many small messages cost one system call. Writing queues
// and flushes once an executor turn, so that the answers of one turn go out together. What epoll
// refuses (regular files, /dev/null) never blocks for long and is read and written in place.
// Everything pending shares the stream's state, so that the connection may be destroyed at any
// time.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "rpc/connection.h"

namespace mahavishnu::net {

struct StreamLimits {
  std::size_t max_message_bytes = 4u << 20;
  std::size_t max_queued_bytes = 1u << 20;  // outgoing; past it `write` waits
};

// One owned descriptor. At its end the file status flags are put back when they were changed on a
// description that others share (a terminal or a socket that the parent process uses too).
class StreamEnd {
 public:
  StreamEnd(asio::any_io_executor executor, int fd, std::optional<int> flags_to_restore = {});
  ~StreamEnd();
  StreamEnd(const StreamEnd&) = delete;
  StreamEnd& operator=(const StreamEnd&) = delete;

  int fd() const { return fd_; }
  // Bytes done, or −errno; −EAGAIN: wait first.
  long read_some(char* to, std::size_t size);
  long write_some(const char* from, std::size_t size);

  // Null when epoll refuses it: then reading and writing never say EAGAIN.
  asio::posix::stream_descriptor* waitable() { return waitable_ ? &*waitable_ : nullptr; }

 private:
  int fd_;
  bool socket_ = false;
  std::optional<int> flags_to_restore_;
  std::optional<asio::posix::stream_descriptor> waitable_;
};

class StreamConnection final : public rpc::Connection {
 public:
  // `in` and `out` may be the same.
  StreamConnection(asio::any_io_executor executor, std::string name, std::shared_ptr<StreamEnd> in,
                   std::shared_ptr<StreamEnd> out, StreamLimits limits);
  ~StreamConnection() override;

  base::awaitable<base::Result<std::optional<std::string>>> read() override;
  std::optional<base::Result<std::optional<std::string>>> read_ready() override;
  base::awaitable<base::Status> write(std::string text) override;
  bool write_ready(std::string_view text) override;
  void close() override;
  std::string name() const override;

  // Resumes when everything written is with the kernel, or the peer is gone. Await it before the
  // process ends: what is still queued here dies with it.
  base::awaitable<void> drain();

 private:
  class State;
  std::shared_ptr<State> state_;
};

}  // namespace mahavishnu::net
