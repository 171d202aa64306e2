// A client that means harm: as many connections as it can have, of four kinds by turns, all slow.
//
// usage: hostile PORT HEADERS_FILE LISTEN_HEADERS_FILE LISTEN_BODY_FILE CONNECTIONS
// Kinds: bodies that come byte by byte; heads that never end, a line at a time; subscriptions whose
// events are never read; silence. Each slow one sends once a second. One that the server ends is
// opened again at once. Prints "ready" when all were opened once, and when stdin ends
// {"open":…,"opened":…,"ended":…,"pieces":…,"statuses":{"408":…,…}} and leaves; a piece is a send
// that the kernel took. Open files: RLIMIT_NOFILE.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "http_connection.h"

namespace {

constexpr int kTicks = 100;  // a second; the connections take turns among them

enum class Kind { SlowBody, EndlessHead, DeafListener, Silent };
constexpr std::size_t kKinds = 4;

struct Connection {
  int fd = -1;
  std::size_t sent = 0;
};

class Hostile {
 public:
  Hostile(std::uint16_t port, std::string headers, std::string listen, std::size_t count)
      : headers_(std::move(headers)),
        listen_(std::move(listen)),
        epoll_(epoll_create1(EPOLL_CLOEXEC)),
        timer_(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
        all_(count) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(port);
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const itimerspec every{{0, 1000000000 / kTicks}, {0, 1000000000 / kTicks}};
    timerfd_settime(timer_, 0, &every, nullptr);
    for (std::size_t i = 0; i < count; ++i) open(i);
  }

  void run() {
    std::puts("ready");
    std::fflush(stdout);
    for (;;) {
      std::array<pollfd, 3> wanted{
          {{STDIN_FILENO, POLLIN, 0}, {epoll_, POLLIN, 0}, {timer_, POLLIN, 0}}};
      poll(wanted.data(), wanted.size(), -1);
      if (wanted[0].revents != 0) return;
      if (wanted[1].revents != 0) take_events();
      if (wanted[2].revents != 0) tick();
    }
  }

  void print() const {
    std::size_t open = 0;
    for (const Connection& one : all_) open += one.fd >= 0 ? 1 : 0;
    std::string statuses;
    for (const auto& [status, count] : statuses_) {
      statuses += (statuses.empty() ? "\"" : ",\"") + status + "\":" + std::to_string(count);
    }
    std::printf("{\"open\":%zu,\"opened\":%zu,\"ended\":%zu,\"pieces\":%zu,\"statuses\":{%s}}\n",
                open, opened_, ended_, pieces_, statuses.c_str());
  }

 private:
  static Kind kind_of(std::size_t index) { return static_cast<Kind>(index % kKinds); }

  void open(std::size_t index) {
    Connection& one = all_[index];
    one.sent = 0;
    one.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one.fd < 0 ||
        connect(one.fd, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) {
      if (opened_ < all_.size()) {
        std::fprintf(stderr, "connection %zu: %s\n", index, std::strerror(errno));
        std::exit(1);
      }
      if (one.fd >= 0) close(one.fd);
      one.fd = -1;  // tried again at its turn
      return;
    }
    ++opened_;
    fcntl(one.fd, F_SETFL, O_NONBLOCK);
    const int on = 1;
    setsockopt(one.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event wanted{EPOLLIN, {.u64 = index}};
    // A deaf one is watched for its end only.
    if (kind_of(index) == Kind::DeafListener) wanted.events = EPOLLRDHUP;
    epoll_ctl(epoll_, EPOLL_CTL_ADD, one.fd, &wanted);
    begin(index);
  }

  void begin(std::size_t index) {
    switch (kind_of(index)) {
      case Kind::SlowBody:
        return say(index, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + headers_ +
                              "Content-Type: application/json\r\nContent-Length: 60000\r\n\r\n{");
      case Kind::EndlessHead:
        return say(index, "POST /mcp HTTP/1.1\r\nHost: localhost\r\n");
      case Kind::DeafListener:
        return say(index, listen_);
      case Kind::Silent:
        return;
    }
  }

  void say(std::size_t index, const std::string& text) {
    const ssize_t n = ::send(all_[index].fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    ++pieces_;
    all_[index].sent += static_cast<std::size_t>(n);
  }

  // What is due of a second in this tick.
  void tick() {
    std::uint64_t passed = 0;
    if (read(timer_, &passed, sizeof passed) != sizeof passed) return;
    for (std::uint64_t i = 0; i < std::min<std::uint64_t>(passed, kTicks); ++i) {
      for (std::size_t index = turn_; index < all_.size(); index += kTicks) go_on(index);
      turn_ = (turn_ + 1) % kTicks;
    }
  }

  void go_on(std::size_t index) {
    if (all_[index].fd < 0) return open(index);
    if (kind_of(index) == Kind::SlowBody) say(index, " ");
    if (kind_of(index) == Kind::EndlessHead) say(index, "X-More: and more of it\r\n");
  }

  void take_events() {
    std::array<epoll_event, 256> ready;
    const int n = epoll_wait(epoll_, ready.data(), ready.size(), 0);
    for (int i = 0; i < n; ++i) take(ready[static_cast<std::size_t>(i)].data.u64);
  }

  void take(std::size_t index) {
    Connection& one = all_[index];
    std::array<char, 1024> buffer;
    const ssize_t got = read(one.fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EAGAIN) return;
    if (got > 12) {
      ++statuses_[std::string(buffer.data() + 9, 3)];
      return;
    }
    ++ended_;
    close(one.fd);
    one.fd = -1;
  }

  std::string headers_, listen_;
  int epoll_, timer_;
  sockaddr_in address_{};
  std::vector<Connection> all_;
  std::size_t turn_ = 0, opened_ = 0, ended_ = 0, pieces_ = 0;
  std::map<std::string, std::size_t> statuses_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr,
                 "usage: hostile PORT HEADERS_FILE LISTEN_HEADERS_FILE LISTEN_BODY_FILE "
                 "CONNECTIONS\n");
    return 2;
  }
  Hostile hostile(static_cast<std::uint16_t>(std::atoi(argv[1])), perf::read_file(argv[2]),
                  perf::post("/mcp", perf::read_file(argv[3]), perf::read_file(argv[4])),
                  std::strtoul(argv[5], nullptr, 10));
  hostile.run();
  hostile.print();
  return 0;
}
