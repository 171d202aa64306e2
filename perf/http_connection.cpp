#include "http_connection.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>

namespace perf {

HttpConnection::HttpConnection(std::uint16_t port) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (fd_ < 0 || connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    std::fprintf(stderr, "cannot connect to 127.0.0.1:%u: %s\n", unsigned{port},
                 std::strerror(errno));
    std::exit(1);
  }
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd_, F_SETFL, O_NONBLOCK);
}

HttpConnection::~HttpConnection() {
  if (fd_ >= 0) close(fd_);
}

bool HttpConnection::send(std::string request) {
  out_ = std::move(request);
  written_ = 0;
  in_.clear();
  head_size_ = body_size_ = 0;
  return writable();
}

bool HttpConnection::writable() {
  while (written_ < out_.size()) {
    const ssize_t n = ::send(fd_, out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return false;
      failed_ = true;
      return true;
    }
    written_ += static_cast<std::size_t>(n);
    bytes_sent_ += static_cast<std::uint64_t>(n);
  }
  return true;
}

std::optional<Reply> HttpConnection::readable() {
  char buffer[65536];
  for (;;) {
    const ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return std::nullopt;
    if (n <= 0) {
      failed_ = true;
      return std::nullopt;
    }
    in_.append(buffer, static_cast<std::size_t>(n));
    bytes_received_ += static_cast<std::uint64_t>(n);
    if (auto reply = whole_reply()) return reply;
    if (failed_) return std::nullopt;
  }
}

std::optional<Reply> HttpConnection::whole_reply() {
  if (head_size_ == 0) {
    const std::size_t end = in_.find("\r\n\r\n");
    if (end == std::string::npos) return std::nullopt;
    head_size_ = end + 4;
    const char* length = strcasestr(in_.c_str(), "\r\ncontent-length:");
    if (length == nullptr || length > in_.c_str() + end) {
      failed_ = true;  // chunked or unending: not an answer to a single call
      return std::nullopt;
    }
    body_size_ = std::strtoul(length + 17, nullptr, 10);
  }
  if (in_.size() < head_size_ + body_size_) return std::nullopt;
  Reply reply;
  const std::size_t status_at = in_.find(' ');
  std::from_chars(in_.data() + status_at + 1, in_.data() + status_at + 4, reply.status);
  reply.body = std::string_view(in_).substr(head_size_, body_size_);
  return reply;
}

std::string post(std::string_view path, std::string_view headers, std::string_view body) {
  std::string request;
  request.reserve(path.size() + headers.size() + body.size() + 128);
  request.append("POST ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  request.append("Content-Type: application/json\r\n").append(headers);
  request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n");
  return request.append(body);
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path.c_str());
    std::exit(1);
  }
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace perf
