// A kept-alive HTTP/1.1 client connection for load programs: one request at a time, no pipelining.
//
// It knows just enough of HTTP for a server that answers with Content-Length; anything else ends
// the connection with an error, so that a load program never counts what it did not understand. The
// socket does not block; the owner waits with epoll and calls `readable` and `writable`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace perf {

struct Reply {
  int status = 0;
  std::string_view body;  // valid until the next send
};

class HttpConnection {
 public:
  // Connects to 127.0.0.1; ends the program with a message when nobody listens.
  explicit HttpConnection(std::uint16_t port);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  int fd() const { return fd_; }
  // Starts a request; false: a part is left for `writable` (ask epoll for EPOLLOUT).
  bool send(std::string request);
  bool writable();
  // What came; a reply once it is whole. `failed` tells whether the connection is of no more use.
  std::optional<Reply> readable();
  bool failed() const { return failed_; }

  std::uint64_t bytes_sent() const { return bytes_sent_; }
  std::uint64_t bytes_received() const { return bytes_received_; }

 private:
  std::optional<Reply> whole_reply();

  int fd_ = -1;
  bool failed_ = false;
  std::string out_;
  std::size_t written_ = 0;
  std::string in_;
  std::size_t head_size_ = 0;  // 0: the head is not whole yet
  std::size_t body_size_ = 0;
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
};

// POST `path` with a JSON body; `headers` are whole lines with their CRLF.
std::string post(std::string_view path, std::string_view headers, std::string_view body);

// The file's text; ends the program with a message when it cannot be read.
std::string read_file(const std::string& path);

}  // namespace perf
