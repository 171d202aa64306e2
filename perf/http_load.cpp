// Load over kept-alive HTTP connections, each with one request in flight, from one thread.
//
// usage: http_load PORT PATH HEADERS_FILE BODIES_FILE CONNECTIONS REQUESTS [REPLIES_FILE]
// BODIES_FILE holds one body a line; they are sent in turn, REQUESTS of them. Headers are whole
// lines ended by CRLF. Reply bodies are written to REPLIES_FILE, one a line. Prints one JSON
// object: requests a second, when the first was sent (monotonic clock), latencies, statuses, bytes.
// Unlike wrk it counts requests rather than time, sends different bodies, and keeps exact
// percentiles.
#include <sys/epoll.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "http_connection.h"
#include "latencies.h"

namespace {

using perf::Clock;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}

struct Caller {
  std::unique_ptr<perf::HttpConnection> connection;
  Clock::time_point sent;
};

class Load {
 public:
  // `replies` may be null.
  Load(std::vector<std::string> requests, std::size_t total, std::FILE* replies)
      : requests_(std::move(requests)),
        total_(total),
        replies_(replies),
        epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

  void run(std::uint16_t port, std::size_t connections) {
    callers_.resize(connections);
    for (Caller& caller : callers_) {
      caller.connection = std::make_unique<perf::HttpConnection>(port);
      watch(EPOLL_CTL_ADD, caller, EPOLLIN);
    }
    began_ = Clock::now();
    for (Caller& caller : callers_) send_next(caller);
    epoll_event events[256];
    while (done_ < total_ && failed_ < callers_.size()) {
      const int n = epoll_wait(epoll_, events, 256, 30000);
      if (n == 0) break;  // nobody answers any more: told by `unanswered`
      for (int i = 0; i < n; ++i)
        serve(*static_cast<Caller*>(events[i].data.ptr), events[i].events);
    }
    ended_ = Clock::now();
  }

  void print() const {
    const double seconds = std::chrono::duration<double>(ended_ - began_).count();
    const double began = std::chrono::duration<double>(began_.time_since_epoch()).count();
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
    for (const Caller& caller : callers_) {
      sent += caller.connection->bytes_sent();
      received += caller.connection->bytes_received();
    }
    std::string statuses;
    for (const auto& [status, count] : statuses_) {
      statuses += (statuses.empty() ? "\"" : ",\"") + std::to_string(status) +
                  "\":" + std::to_string(count);
    }
    std::printf(
        "{\"requests\":%zu,\"unanswered\":%zu,\"began\":%.6f,\"seconds\":%.6f,\"per_second\":%.1f,"
        "\"bytes_sent\":%llu,\"bytes_received\":%llu,\"statuses\":{%s},\"latency\":%s}\n",
        done_, total_ - done_, began, seconds, static_cast<double>(done_) / seconds,
        static_cast<unsigned long long>(sent), static_cast<unsigned long long>(received),
        statuses.c_str(), latencies_.to_json().c_str());
  }

 private:
  void watch(int operation, Caller& caller, std::uint32_t events) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = &caller;
    epoll_ctl(epoll_, operation, caller.connection->fd(), &event);
  }

  void send_next(Caller& caller) {
    if (next_ >= total_) return;
    caller.sent = Clock::now();
    if (!caller.connection->send(requests_[next_++ % requests_.size()])) {
      watch(EPOLL_CTL_MOD, caller, EPOLLIN | EPOLLOUT);
    }
  }

  void serve(Caller& caller, std::uint32_t events) {
    if ((events & EPOLLOUT) != 0 && caller.connection->writable()) {
      watch(EPOLL_CTL_MOD, caller, EPOLLIN);
    }
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
    const auto reply = caller.connection->readable();
    if (reply) {
      latencies_.add(Clock::now() - caller.sent);
      ++statuses_[reply->status];
      if (replies_ != nullptr) {
        std::fprintf(replies_, "%.*s\n", static_cast<int>(reply->body.size()), reply->body.data());
      }
      ++done_;
      send_next(caller);
    } else if (caller.connection->failed()) {
      watch(EPOLL_CTL_DEL, caller, 0);
      ++failed_;
    }
  }

  std::vector<std::string> requests_;
  std::size_t total_;
  std::FILE* replies_;
  int epoll_;
  std::vector<Caller> callers_;
  std::size_t next_ = 0, done_ = 0, failed_ = 0;
  std::map<int, std::size_t> statuses_;
  perf::Latencies latencies_;
  Clock::time_point began_, ended_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 7 && argc != 8) {
    std::fprintf(stderr,
                 "usage: http_load PORT PATH HEADERS_FILE BODIES_FILE CONNECTIONS REQUESTS "
                 "[REPLIES_FILE]\n");
    return 2;
  }
  const std::string headers = perf::read_file(argv[3]);
  std::vector<std::string> requests = lines_of(perf::read_file(argv[4]));
  for (std::string& request : requests) request = perf::post(argv[2], headers, request);
  std::FILE* replies = argc == 8 ? std::fopen(argv[7], "w") : nullptr;
  if (requests.empty() || (argc == 8 && replies == nullptr)) {
    std::fprintf(stderr, "%s holds no body, or the replies cannot be written\n", argv[4]);
    return 2;
  }
  Load load(std::move(requests), std::strtoul(argv[6], nullptr, 10), replies);
  load.run(static_cast<std::uint16_t>(std::atoi(argv[1])), std::strtoul(argv[5], nullptr, 10));
  load.print();
  if (replies != nullptr && std::fclose(replies) != 0) return 1;
  return 0;
}
