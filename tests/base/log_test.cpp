#include "base/log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

namespace {

using namespace mahavishnu;

// stderr as a pipe, so that a test sees what was written, or lets it fill up.
class Stderr {
 public:
  Stderr() : kept_(::dup(STDERR_FILENO)) {
    REQUIRE(::pipe(pipe_.data()) == 0);
    ::dup2(pipe_[1], STDERR_FILENO);
  }
  ~Stderr() { read_all(); }

  // What was written so far; stderr is the old one again.
  std::string read_all() {
    if (kept_ < 0) return {};
    ::dup2(kept_, STDERR_FILENO);
    ::close(kept_);
    ::close(pipe_[1]);
    kept_ = -1;
    std::string all;
    std::array<char, 65536> part{};
    for (ssize_t got = 0; (got = ::read(pipe_[0], part.data(), part.size())) > 0;)
      all.append(part.data(), static_cast<std::size_t>(got));
    ::close(pipe_[0]);
    return all;
  }
  // Takes what is there on a thread of its own until it ends.
  void drain() {
    ::dup2(kept_, STDERR_FILENO);
    ::close(pipe_[1]);
  }
  int reader() const { return pipe_[0]; }

 private:
  int kept_;
  std::array<int, 2> pipe_{};
};

struct Follower final : base::LogFollower {
  void line(const base::LogLine& line) override { lines.emplace_back(line.text); }
  std::vector<std::string> lines;
};

base::LogOptions at_level(const char* level) {
  base::LogOptions options;
  options.level = level;
  return options;
}

// A log that runs for one test, into a pipe.
class Running {
 public:
  explicit Running(const base::LogOptions& options) {
    const auto started = base::start_log(options);
    REQUIRE(started);
    base::follow_log(&follower);
  }
  ~Running() { stop(); }
  std::string stop() {
    base::stop_log();
    return stderr_.read_all();
  }

 private:
  Stderr stderr_;

 public:
  Follower follower;
};

// Counts how often it is put into words.
struct Counted {
  int* formatted;
};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

template <>
struct fmt::formatter<Counted> {
  constexpr auto parse(format_parse_context& context) { return context.begin(); }
  template <class Context>
  auto format(const Counted& counted, Context& context) const {
    ++*counted.formatted;
    return context.out();
  }
};

TEST_SUITE("log") {
  TEST_CASE("a line below the level costs no formatting, and no follower hears of it") {
    int formatted = 0;
    Running log(at_level("info"));
    base::log()->debug("{}", Counted{&formatted});
    CHECK(formatted == 0);
    base::log()->info("{}", Counted{&formatted});
    CHECK(formatted == 1);
    CHECK(log.follower.lines.size() == 1);
  }

  TEST_CASE("off is off") {
    int formatted = 0;
    Running log(at_level("off"));
    base::log()->error("{}", Counted{&formatted});
    CHECK(formatted == 0);
    CHECK(log.stop() == "");
  }

  TEST_CASE("a line goes to stderr and to the follower") {
    Running log(at_level("debug"));
    base::log()->debug("one {}", 1);
    CHECK(log.follower.lines == std::vector<std::string>{"one 1"});
    const std::string written = log.stop();
    CHECK(written.ends_with("Z debug one 1\n"));
    CHECK(written.starts_with("20"));
  }

  TEST_CASE("a line of 10 MB is cut between characters and says so") {
    Running log(at_level("info"));
    base::log()->info("{}", "a" + std::string(10U << 20U, '\xC3'));
    base::log()->info("{}", std::string(8190, 'a') + "\xE2\x82\xAC" + "b");
    REQUIRE(log.follower.lines.size() == 2);
    CHECK(log.follower.lines[0].size() < base::kLongestLogLine + 40);
    CHECK(log.follower.lines[0].ends_with("… (10485761 bytes)"));
    CHECK(log.follower.lines[1] == std::string(8190, 'a') + "… (8194 bytes)");
    CHECK(log.stop().size() < 3 * base::kLongestLogLine);
  }

  TEST_CASE("who follows no more is not called") {
    Running log(at_level("info"));
    base::follow_log(nullptr);
    base::log()->info("text");
    CHECK(log.follower.lines.empty());
  }

  TEST_CASE("a stderr that nobody reads holds up neither the caller nor the follower") {
    Stderr unread;
    Follower follower;
    REQUIRE(base::start_log(at_level("info")));
    base::follow_log(&follower);
    const std::string text(1000, 'x');
    for (int i = 0; i < 10000; ++i) base::log()->info(text);  // 10 MB: no pipe holds that
    CHECK(follower.lines.size() == 10000);
    CHECK(base::log_lines_dropped() > 0);
    std::thread reader([&unread] {
      std::array<char, 65536> part{};
      while (::read(unread.reader(), part.data(), part.size()) > 0) continue;
    });
    base::stop_log();
    unread.drain();
    reader.join();
  }

  TEST_CASE("files take turns, are private and never more than asked for") {
    std::string folder = (std::filesystem::temp_directory_path() / "log-XXXXXX").string();
    REQUIRE(::mkdtemp(folder.data()) != nullptr);
    base::LogOptions options;
    options.file = folder + "/server.log";
    options.file_bytes = 4096;
    options.file_count = 3;
    {
      Running log(options);
      for (int i = 0; i < 200; ++i) base::log()->info("line {} {}", i, std::string(100, 'x'));
      CHECK(log.stop().find("line 199") != std::string::npos);
    }
    std::size_t files = 0;
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      ++files;
      CHECK(file.file_size() <= 4096);
      struct stat info {};
      REQUIRE(::stat(file.path().c_str(), &info) == 0);
      CHECK((info.st_mode & 0777U) == 0600U);
    }
    CHECK(files == 3);
    CHECK(text_of(options.file).find("line 199 ") != std::string::npos);
    std::filesystem::remove_all(folder);
  }

  TEST_CASE("a file that cannot be made is refused by name, and so is a level") {
    base::LogOptions options;
    options.file = "/proc/nowhere/server.log";
    const auto refused = base::start_log(options);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("/proc/nowhere/server.log") != std::string::npos);
    CHECK_FALSE(base::start_log(at_level("loud")));
  }
}
