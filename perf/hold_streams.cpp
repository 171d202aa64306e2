// Many open event streams that a client listens on, and how long a change takes to reach them all.
//
// usage: hold_streams PORT PATH HEADERS_FILE BODY_FILE STREAMS
// Opens them (each a POST of the body), waits for the first event of each, prints "ready". After
// each line of stdin, whatever it says, it waits until every stream has told something more, and
// prints
// {"reached":…,"last_ns":…,"waited_ms":…}, the time of the last by CLOCK_MONOTONIC; then again.
// Ends with stdin. It gives up on a line after 10 s.
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "http_connection.h"

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kPatience = std::chrono::seconds(10);

class Streams {
 public:
  Streams(std::uint16_t port, const std::string& request, std::size_t count)
      : epoll_(epoll_create1(EPOLL_CLOEXEC)), events_(count), mark_(count) {
    for (std::size_t i = 0; i < count; ++i) {
      all_.push_back(std::make_unique<perf::HttpConnection>(port));
      all_.back()->send(request);
      epoll_event wanted{EPOLLIN, {.u64 = i}};
      epoll_ctl(epoll_, EPOLL_CTL_ADD, all_.back()->fd(), &wanted);
    }
  }

  // Until each of them has told more than at the last call; how many have.
  std::size_t wait() {
    const auto until = Clock::now() + kPatience;
    std::size_t reached = count();
    while (reached < all_.size() && Clock::now() < until) {
      std::array<epoll_event, 256> ready;
      const int n = epoll_wait(epoll_, ready.data(), ready.size(), 100);
      for (int i = 0; i < n; ++i) read_events(ready[static_cast<std::size_t>(i)].data.u64);
      reached = count();
    }
    last_ = Clock::now();
    mark_ = events_;
    return reached;
  }
  long long last_ns() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(last_.time_since_epoch()).count();
  }

 private:
  std::size_t count() const {
    std::size_t reached = 0;
    for (std::size_t i = 0; i < events_.size(); ++i) reached += events_[i] > mark_[i] ? 1 : 0;
    return reached;
  }
  void read_events(std::size_t index) {
    std::array<char, 16384> buffer;
    ssize_t n = 0;
    while ((n = read(all_[index]->fd(), buffer.data(), buffer.size())) > 0) {
      const std::string_view text(buffer.data(), static_cast<std::size_t>(n));
      for (std::size_t at = 0; (at = text.find("data: {", at)) != text.npos; ++at) ++events_[index];
    }
    if (n == 0) epoll_ctl(epoll_, EPOLL_CTL_DEL, all_[index]->fd(), nullptr);
  }

  int epoll_;
  std::vector<std::unique_ptr<perf::HttpConnection>> all_;
  std::vector<std::size_t> events_;
  std::vector<std::size_t> mark_;  // `events_` at the last call
  Clock::time_point last_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) {
    std::fprintf(stderr, "usage: hold_streams PORT PATH HEADERS_FILE BODY_FILE STREAMS\n");
    return 2;
  }
  const std::size_t count = std::strtoul(argv[5], nullptr, 10);
  Streams streams(static_cast<std::uint16_t>(std::atoi(argv[1])),
                  perf::post(argv[2], perf::read_file(argv[3]), perf::read_file(argv[4])), count);
  if (const std::size_t open = streams.wait(); open < count) {
    std::fprintf(stderr, "%zu of %zu streams were opened\n", open, count);
    return 1;
  }
  std::puts("ready");
  std::fflush(stdout);
  for (std::string line(64, '\0'); read(STDIN_FILENO, line.data(), line.size()) > 0;) {
    const auto began = Clock::now();
    const std::size_t reached = streams.wait();
    const double waited = std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    std::printf("{\"reached\":%zu,\"last_ns\":%lld,\"waited_ms\":%.3f}\n", reached,
                streams.last_ns(), waited);
    std::fflush(stdout);
  }
  return 0;
}
