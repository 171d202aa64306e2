// What the tests of connections share: an executor run until something real happened, descriptors
// that close themselves, and coroutines that note what they saw.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/task_group.h"
#include "rpc/connection.h"
#include "support/run_until.h"

namespace mahavishnu::net::testing {

using Read = base::Result<std::optional<std::string>>;

struct Loop {
  Loop() : group(io.get_executor(), "test") {}
  ~Loop() {
    group.cancel();
    until([this] { return group.size() == 0; });
  }

  template <class Condition>
  void until(Condition condition) {
    support::run_until(io, condition);
  }

  void poll() {
    io.restart();
    io.poll();
  }

  asio::io_context io;
  base::TaskGroup group;
};

struct Fd {
  explicit Fd(int number = -1) : number(number) {}
  Fd(Fd&& other) noexcept : number(std::exchange(other.number, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(number, other.number);
    return *this;
  }
  ~Fd() { close(); }
  void close() {
    if (number >= 0) ::close(number);
    number = -1;
  }
  int number;
};

struct FdPair {
  Fd first;  // of a pipe: the reading end
  Fd second;
};

inline FdPair make_pipe() {
  int fds[2];
  REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

inline FdPair make_socketpair() {
  int fds[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

inline void put(const Fd& to, std::string_view text) {
  REQUIRE(::write(to.number, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

// One read; blocks until there is something.
inline std::string get(const Fd& from) {
  std::string text(1 << 20, '\0');
  const auto got = ::read(from.number, text.data(), text.size());
  text.resize(got < 0 ? 0 : static_cast<std::size_t>(got));
  return text;
}

struct TemporaryFolder {
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "net.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

inline base::awaitable<void> read_into(rpc::Connection& from, std::vector<Read>& seen, int count) {
  bool more = true;
  for (int i = 0; more && i < count; ++i) {
    auto read = co_await from.read();
    more = read.has_value() ? read->has_value() : read.error().code == base::ErrorCode::Exhausted;
    seen.push_back(std::move(read));
  }
}

inline base::awaitable<void> write_all(rpc::Connection& to, std::vector<std::string> texts,
                                       std::vector<base::Status>& done) {
  for (auto& text : texts) {
    auto status = co_await to.write(std::move(text));
    done.push_back(std::move(status));
  }
}

inline bool is_end(const Read& read) { return read.has_value() && !read->has_value(); }

}  // namespace mahavishnu::net::testing
