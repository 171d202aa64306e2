// What one more client feels while others work: one request every PERIOD_US, on one connection.
//
// usage: http_probe PORT PATH HEADERS_FILE PERIOD_US
// Reads bodies from stdin, one a line, as they become known, and sends those it knows in turn. Ends
// when stdin does and prints one JSON object. A latency counts from the moment the request was due,
// so a server that stalls is not spared the requests that waited behind the stall.
#include <fcntl.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "http_connection.h"
#include "latencies.h"

namespace {

using perf::Clock;

class Probe {
 public:
  Probe(std::uint16_t port, std::string path, std::string headers, std::chrono::microseconds period)
      : connection_(port), path_(std::move(path)), headers_(std::move(headers)), period_(period) {
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
  }

  void run() {
    due_ = Clock::now();
    while (!ended_ && !connection_.failed()) {
      pollfd wanted[2] = {{STDIN_FILENO, POLLIN, 0}, {connection_.fd(), POLLIN, 0}};
      const timespec wait = until_due();
      ppoll(wanted, 2, in_flight_ || requests_.empty() ? nullptr : &wait, nullptr);
      if (wanted[0].revents != 0) read_bodies();
      if (wanted[1].revents != 0) take_reply();
      send_when_due();
    }
  }

  void print() const {
    std::string statuses;
    for (const auto& [status, count] : statuses_) {
      statuses += (statuses.empty() ? "\"" : ",\"") + std::to_string(status) +
                  "\":" + std::to_string(count);
    }
    std::printf("{\"statuses\":{%s},\"failed\":%s,\"latency\":%s}\n", statuses.c_str(),
                connection_.failed() ? "true" : "false", latencies_.to_json().c_str());
  }

 private:
  timespec until_due() const {
    const auto left = std::max<Clock::duration>(due_ - Clock::now(), Clock::duration::zero());
    const auto nanos = std::chrono::duration_cast<std::chrono::nanoseconds>(left).count();
    return {static_cast<time_t>(nanos / 1000000000), static_cast<long>(nanos % 1000000000)};
  }

  void read_bodies() {
    char buffer[65536];
    const ssize_t n = read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
      ended_ = true;
      return;
    }
    partial_.append(buffer, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end; (end = partial_.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      requests_.push_back(perf::post(path_, headers_, partial_.substr(begin, end - begin)));
    }
    partial_.erase(0, begin);
    if (latencies_.count() == 0 && !in_flight_) due_ = Clock::now();
  }

  void send_when_due() {
    if (in_flight_ || requests_.empty() || Clock::now() < due_) return;
    connection_.send(requests_[next_++ % requests_.size()]);
    in_flight_ = true;
  }

  void take_reply() {
    const auto reply = connection_.readable();
    if (!reply) return;
    latencies_.add(Clock::now() - due_);
    ++statuses_[reply->status];
    due_ += period_;
    in_flight_ = false;
  }

  perf::HttpConnection connection_;
  std::string path_, headers_;
  std::chrono::microseconds period_;
  std::string partial_;
  std::vector<std::string> requests_;
  std::size_t next_ = 0;
  Clock::time_point due_;
  bool in_flight_ = false;
  bool ended_ = false;
  std::map<int, std::size_t> statuses_;
  perf::Latencies latencies_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: http_probe PORT PATH HEADERS_FILE PERIOD_US\n");
    return 2;
  }
  Probe probe(static_cast<std::uint16_t>(std::atoi(argv[1])), argv[2], perf::read_file(argv[3]),
              std::chrono::microseconds(std::atol(argv[4])));
  probe.run();
  probe.print();
  return 0;
}
