#include "workers/streams.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace mahavishnu::workers {
namespace {

bool make_pipe(Descriptor& read, Descriptor& write) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  read.reset(ends[0]);
  write.reset(ends[1]);
  return true;
}

char buffer[65536];

// More than two pipes of the largest size (1 MiB) hold, so that nobody who goes on writing can keep
// an attempt from ending.
constexpr int kDrainTurns = 40;

}  // namespace

base::Status Streams::open(std::string stdin_text) {
  text_ = std::move(stdin_text);
  bool made = make_pipe(out_read_, out_write_) && make_pipe(err_read_, err_write_);
  if (made && !text_.empty()) made = make_pipe(in_read_, in_write_);
  if (!made) {
    return base::fail(base::ErrorCode::Unavailable,
                      std::string("cannot make a pipe: ") + std::strerror(errno));
  }
  if (in_write_) {
    ::fcntl(in_write_.get(), F_SETFL, O_NONBLOCK);
    feed();
  }
  return {};
}

void Streams::feed() {
  while (fed_ < text_.size()) {
    const ssize_t written = ::write(in_write_.get(), text_.data() + fed_, text_.size() - fed_);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0) break;  // nobody reads it any more
    fed_ += static_cast<std::size_t>(written);
  }
  in_write_.reset();
  text_ = std::string();
}

void Streams::add_polls(std::vector<pollfd>& polls) const {
  polls.push_back({out_read_.get(), POLLIN, 0});
  polls.push_back({err_read_.get(), POLLIN, 0});
  if (in_write_) polls.push_back({in_write_.get(), POLLOUT, 0});
}

bool Streams::read_once(int pipe, Tag stream, KeptOutput& output) {
  const ssize_t got = ::read(pipe, buffer, sizeof buffer);
  if (got <= 0) return false;
  output.add(stream, {buffer, static_cast<std::size_t>(got)});
  return true;
}

bool Streams::take(const std::vector<pollfd>& polls, KeptOutput& output) {
  bool came = false;
  for (const auto& poll : polls) {
    if (poll.revents == 0 || poll.fd < 0) continue;
    if (poll.fd == out_read_.get()) came = read_once(poll.fd, Tag::Stdout, output) || came;
    if (poll.fd == err_read_.get()) came = read_once(poll.fd, Tag::Stderr, output) || came;
    if (poll.fd == in_write_.get()) feed();
  }
  return came;
}

void Streams::drain(KeptOutput& output) {
  if (!out_read_) return;
  for (int turns = 0; turns < kDrainTurns; ++turns) {
    std::vector<pollfd> polls{{out_read_.get(), POLLIN, 0}, {err_read_.get(), POLLIN, 0}};
    if (::poll(polls.data(), polls.size(), 0) <= 0 || !take(polls, output)) return;
  }
}

}  // namespace mahavishnu::workers
