// A server at the other end of an outgoing call, whose connections each do what the test says: on
// real sockets, since what is tested is what a client does when a socket is dealt with badly.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace mahavishnu::support {

class Peer {
 public:
  // One connection, on a thread of its own; it is closed when the function returns.
  class Line {
   public:
    Line(int socket, int over) : socket_(socket), over_(over) {}

    // The next request as it came, head and body; "" when the client has closed.
    std::string request() {
      for (;;) {
        const auto head = kept_.find("\r\n\r\n");
        if (head != std::string::npos) {
          const std::size_t size = head + 4 + length(kept_.substr(0, head));
          if (kept_.size() >= size) {
            std::string whole = kept_.substr(0, size);
            kept_.erase(0, size);
            return whole;
          }
        }
        char bytes[65536];
        if (!ready(POLLIN)) return {};
        const auto got = ::read(socket_, bytes, sizeof bytes);
        if (got <= 0) return {};
        ++reads_;
        kept_.append(bytes, static_cast<std::size_t>(got));
      }
    }
    int reads() const { return reads_; }  // that brought something
    static std::string body(const std::string& request) {
      return request.substr(request.find("\r\n\r\n") + 4);
    }
    // False: the client is gone.
    bool write(const std::string& text) {
      return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL) ==
             static_cast<ssize_t>(text.size());
    }
    bool answer(const std::string& body, const std::string& status = "200 OK",
                const std::string& headers = "") {
      return write("HTTP/1.1 " + status + "\r\n" + headers + "Content-Type: application/json\r\n" +
                   "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    // Says no more; the client's system knows when it returns (it has acknowledged the end).
    void close() {
      ::shutdown(socket_, SHUT_WR);
      tcp_info info{};
      do {
        std::this_thread::yield();
        socklen_t size = sizeof info;
        if (::getsockopt(socket_, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
      } while (info.tcpi_state == TCP_FIN_WAIT1);
    }
    // Until the client closes or the test is over.
    void hang() { ready(POLLRDHUP); }
    // A byte now and then, until the client closes or the test is over.
    void drip(const std::string& text) {
      for (const char byte : text) {
        if (!write(std::string(1, byte)) || wait(POLLRDHUP, 10)) return;
      }
      hang();
    }

   private:
    bool ready(short events) { return wait(events, -1) && !over(); }
    bool over() const {
      pollfd look{over_, POLLIN, 0};
      return ::poll(&look, 1, 0) > 0;
    }
    bool wait(short events, int ms) {
      pollfd look[2] = {{socket_, events, 0}, {over_, POLLIN, 0}};
      return ::poll(look, 2, ms) > 0;
    }
    static std::size_t length(std::string head) {
      for (char& c : head) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      const auto at = head.find("content-length:");
      return at == std::string::npos ? 0 : std::strtoul(head.c_str() + at + 15, nullptr, 10);
    }
    int socket_, over_;
    std::string kept_;
    int reads_ = 0;
  };
  using Behaviour = std::function<void(Line&)>;

  explicit Peer(Behaviour behaviour) : behaviour_(std::move(behaviour)), over_(::eventfd(0, 0)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const int yes = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        ::listen(listener_, 128) != 0) {
      throw std::runtime_error("no port to listen on");
    }
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept(); });
  }
  ~Peer() {
    const std::uint64_t one = 1;
    if (::write(over_, &one, sizeof one) != sizeof one) std::abort();
    acceptor_.join();
    for (auto& thread : threads_) thread.join();
    ::close(over_);
  }
  Peer(const Peer&) = delete;

  std::string url(const std::string& path = "") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void accept() {
    for (;;) {
      pollfd look[2] = {{listener_, POLLIN, 0}, {over_, POLLIN, 0}};
      ::poll(look, 2, -1);
      if (look[1].revents != 0) break;
      const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (socket < 0) continue;
      ++connections_;
      threads_.emplace_back([this, socket] {
        Line line(socket, over_);
        behaviour_(line);
        ::close(socket);
      });
    }
    ::close(listener_);
  }

  Behaviour behaviour_;
  int over_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::vector<std::thread> threads_;  // the acceptor's until it has ended
  std::thread acceptor_;
};

// A port nobody listens on, and nobody else gets.
class ClosedPort {
 public:
  ClosedPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(socket_, reinterpret_cast<sockaddr*>(&address), size) != 0) {
      throw std::runtime_error("no port to keep");
    }
    ::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~ClosedPort() { ::close(socket_); }
  ClosedPort(const ClosedPort&) = delete;
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  int socket_;
  int port_ = 0;
};

}  // namespace mahavishnu::support
