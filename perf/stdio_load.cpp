// Load on a server that speaks JSON-RPC on its stdin and stdout.
//
// usage: stdio_load REQUEST_FILE IN_FLIGHT REQUESTS COMMAND…
// The request's "@ID@" becomes 1, 2, …. Keeps IN_FLIGHT requests open and prints one JSON object.
// The second answer must equal the first but for its id, later ones must have its size: an error
// never counts as an answer.
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "http_connection.h"
#include "latencies.h"

extern char** environ;

namespace {

using perf::Clock;

struct Child {
  pid_t pid = -1;
  int in = -1;   // to its stdin
  int out = -1;  // from its stdout
};

Child start(char** argv) {
  int to[2];
  int from[2];
  if (pipe2(to, O_CLOEXEC) != 0 || pipe2(from, O_CLOEXEC) != 0) std::exit(1);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, from[1], STDOUT_FILENO);
  Child child;
  if (const int error = posix_spawnp(&child.pid, argv[0], &actions, nullptr, argv, environ)) {
    std::fprintf(stderr, "cannot start %s: %s\n", argv[0], std::strerror(error));
    std::exit(1);
  }
  posix_spawn_file_actions_destroy(&actions);
  close(to[0]);
  close(from[1]);
  child.in = to[1];
  child.out = from[0];
  fcntl(child.in, F_SETFL, O_NONBLOCK);
  return child;
}

// The line without its id: what must not change from one answer to the next.
std::string shape(std::string line) {
  const std::size_t id = line.find("\"id\":");
  if (id == std::string::npos) return line;
  const std::size_t end = line.find_first_not_of("0123456789", id + 5);
  return line.erase(id, end - id);
}

class Load {
 public:
  Load(Child child, std::string request, std::size_t in_flight, std::size_t total)
      : child_(child), in_flight_(in_flight), total_(total) {
    const std::size_t id = request.find("@ID@");
    if (id == std::string::npos) {
      std::fprintf(stderr, "the request holds no @ID@\n");
      std::exit(2);
    }
    while (!request.empty() && request.back() == '\n') request.pop_back();
    before_ = request.substr(0, id);
    after_ = request.substr(id + 4) + "\n";
    sent_at_.resize(total + 1);
  }

  // false: the server ended or an answer differed from the first.
  bool run() {
    began_ = Clock::now();
    while (answered_ < total_) {
      fill();
      pollfd wanted[2] = {{child_.out, POLLIN, 0}, {child_.in, POLLOUT, 0}};
      if (poll(wanted, written_ < out_.size() ? 2 : 1, 30000) <= 0) return false;
      if (wanted[0].revents != 0 && !take()) return false;
    }
    ended_ = Clock::now();
    return true;
  }

  void print() const {
    const double seconds = std::chrono::duration<double>(ended_ - began_).count();
    std::printf(
        "{\"requests\":%zu,\"seconds\":%.6f,\"per_second\":%.1f,\"answer_bytes\":%zu,"
        "\"latency\":%s}\n",
        answered_, seconds, static_cast<double>(answered_) / seconds, first_.size(),
        latencies_.to_json().c_str());
  }

 private:
  void fill() {
    const auto now = Clock::now();
    if (written_ == out_.size()) {
      out_.clear();
      written_ = 0;
    }
    while (sent_ < total_ && sent_ - answered_ < in_flight_) {
      sent_at_[++sent_] = now;
      out_.append(before_).append(std::to_string(sent_)).append(after_);
    }
    while (written_ < out_.size()) {
      const ssize_t n = write(child_.in, out_.data() + written_, out_.size() - written_);
      if (n <= 0) return;
      written_ += static_cast<std::size_t>(n);
    }
  }

  bool take() {
    char buffer[65536];
    const ssize_t n = read(child_.out, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) return true;
    if (n <= 0) return false;
    const auto now = Clock::now();
    in_.append(buffer, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end; (end = in_.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (!check(begin, end - begin)) return false;
      latencies_.add(now - sent_at_[++answered_]);  // in the order of sending: near enough
    }
    in_.erase(0, begin);
    return true;
  }

  bool check(std::size_t begin, std::size_t size) {
    if (answered_ == 0) first_ = shape(in_.substr(begin, size));
    if (answered_ > 1) {  // ids grow by digits: at most 12
      if (size >= first_.size() && size <= first_.size() + 20) return true;
    } else if (shape(in_.substr(begin, size)) == first_) {
      return true;
    }
    std::fprintf(stderr, "an answer that is not like the first: %.*s\n", static_cast<int>(size),
                 in_.data() + begin);
    return false;
  }

  Child child_;
  std::string before_, after_;
  std::size_t in_flight_, total_;
  std::size_t sent_ = 0, answered_ = 0;
  std::string out_, in_, first_;
  std::size_t written_ = 0;
  std::vector<Clock::time_point> sent_at_;
  perf::Latencies latencies_;
  Clock::time_point began_, ended_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) {
    std::fprintf(stderr, "usage: stdio_load REQUEST_FILE IN_FLIGHT REQUESTS COMMAND...\n");
    return 2;
  }
  std::signal(SIGPIPE, SIG_IGN);
  const Child child = start(argv + 4);
  Load load(child, perf::read_file(argv[1]), std::strtoul(argv[2], nullptr, 10),
            std::strtoul(argv[3], nullptr, 10));
  const bool whole = load.run();
  close(child.in);
  int status = 0;
  if (!whole) kill(child.pid, SIGTERM);
  waitpid(child.pid, &status, 0);
  if (!whole) {
    std::fprintf(stderr, "the server stopped answering (wait status %d)\n", status);
    return 1;
  }
  load.print();
  return 0;
}
