// A run directory, an executor on it, and what it reported; everything polled by hand.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/asio.h"
#include "workers/attempt_file.h"
#include "workers/descriptor.h"
#include "workers/process_tree.h"
#include "workers/run_dir.h"
#include "workers/shell_executor.h"

namespace mahavishnu::workers::test {

using base::Millis;
using domain::AttemptEnded;
using domain::AttemptOrder;
using domain::Fence;
using domain::OutputStream;
using domain::Reason;

// A hang guard, never a wait: every condition is met by an event.
inline constexpr std::chrono::seconds kGuard{20};

// The zygote beside the test binary, unless the build says where it is.
inline std::string zygote_program() {
  if (const char* named = std::getenv("MAHAVISHNU_TEST_ZYGOTE")) return named;
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / "test_zygote";
}

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "workers.XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A named pipe by which a test lets a command go on. Both its ends are held here: to open it waits
// for nobody, also when the command is gone.
class Gate {
 public:
  explicit Gate(const Folder& folder) : path_((folder.path() / "gate").string()) {
    REQUIRE(::mkfifo(path_.c_str(), 0600) == 0);
    both_ends_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  }
  std::string wait() const { return "read line < " + path_ + "; "; }
  void open() const { REQUIRE(::write(both_ends_.get(), "go\n", 3) == 3); }

 private:
  std::string path_;
  Descriptor both_ends_;
};

class World {
 public:
  explicit World(const std::filesystem::path& run_dir, Millis lease = Millis(30000),
                 Millis idle = Millis(2000))
      : World(ShellOptions{run_dir, zygote_program(), "here", lease, idle}) {}
  explicit World(ShellOptions options)
      : executor(std::make_unique<ShellExecutor>(io.get_executor(), std::move(options))) {
    executor->subscribe(
        {[this](Fence fence) { started[fence] += 1; },
         [this](AttemptEnded end) {
           ends[end.fence] += 1;
           ended[end.fence] = std::move(end);
         },
         [this](Fence fence, std::uint64_t bytes) { grown[fence].push_back(bytes); }});
  }

  void until(const std::function<bool()>& met) {
    const auto deadline = std::chrono::steady_clock::now() + kGuard;
    while (!met()) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(20));
      REQUIRE_MESSAGE(std::chrono::steady_clock::now() < deadline, "waited in vain");
    }
  }

  std::vector<domain::Restored::Found> recover() {
    std::optional<base::Result<std::vector<domain::Restored::Found>>> found;
    executor->recover([&](auto answer) { found = std::move(answer); });
    until([&] { return found.has_value(); });
    REQUIRE(found->has_value());
    return **found;
  }

  const AttemptEnded& end_of(Fence fence) {
    until([&] { return ended.contains(fence); });
    return ended[fence];
  }

  const AttemptEnded& run(AttemptOrder order) {
    const Fence fence = order.fence;
    executor->start(std::move(order));
    return end_of(fence);
  }

  void until_started(Fence fence) {
    until([&] { return started.contains(fence); });
  }

  domain::OutputChunk read(Fence fence, OutputStream stream, std::int64_t offset = 0,
                           std::size_t max = 32768) {
    std::optional<base::Result<domain::OutputChunk>> chunk;
    executor->read_output(fence, stream, offset, max, [&](auto answer) { chunk = answer; });
    until([&] { return chunk.has_value(); });
    REQUIRE_MESSAGE(chunk->has_value(), chunk->error().message);
    return **chunk;
  }

  domain::OutputChunk read_spool(const std::string& spool, OutputStream stream,
                                 std::int64_t offset = 0, std::size_t max = 32768) {
    std::optional<base::Result<domain::OutputChunk>> chunk;
    executor->read_spool(spool, stream, offset, max, [&](auto answer) { chunk = answer; });
    until([&] { return chunk.has_value(); });
    REQUIRE_MESSAGE(chunk->has_value(), chunk->error().message);
    return **chunk;
  }

  // Until a live attempt has written this much to the view.
  std::string wait_output(Fence fence, const std::string& text) {
    std::string seen;
    until([&] {
      seen = read(fence, OutputStream::All).text;
      return seen.find(text) != std::string::npos;
    });
    return seen;
  }

  asio::io_context io{1};
  std::map<Fence, int> started, ends;
  std::map<Fence, AttemptEnded> ended;
  std::map<Fence, std::vector<std::uint64_t>> grown;
  std::unique_ptr<ShellExecutor> executor;
};

inline AttemptOrder order_of(std::uint64_t counter) {
  AttemptOrder order;
  order.task.value = {0x0190000000000000ULL + static_cast<std::uint64_t>(::getpid()), counter};
  order.attempt = 1;
  order.fence = {7, counter};
  order.work.env = {{"PATH", "/usr/bin:/bin"}};
  order.cwd = "/tmp";
  order.grace = Millis(300);
  return order;
}

inline AttemptOrder shell(const std::string& command, std::uint64_t counter = 1) {
  AttemptOrder order = order_of(counter);
  order.work.command = command;
  return order;
}

inline AttemptOrder program(std::vector<std::string> argv, std::uint64_t counter = 1) {
  AttemptOrder order = order_of(counter);
  order.work.argv = std::move(argv);
  return order;
}

inline std::string mark_of(const AttemptOrder& order) {
  return attempt_mark(order.task, order.attempt, order.fence);
}

// The process over a live attempt, as its file names it.
inline pid_t shim_of(const Folder& folder, Fence fence) {
  for (const auto& run_dir : {folder.path(), folder.path() / "run"}) {
    const auto state = read_attempt(attempt_path(run_dir.string(), fence));
    if (state && state->header.shim > 1) return state->header.shim;
  }
  FAIL("no such attempt");
  return 0;
}

// Runs an attempt to its release; it tells its parent, which is its shim.
inline pid_t shim_that_ran(World& world, std::uint64_t counter) {
  const pid_t shim = std::atoi(world.run(shell("echo $PPID", counter)).result.text.c_str());
  world.executor->release({7, counter});
  return shim;
}

inline ino_t inode_of(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

// Started, with nothing of a former life.
struct Ready {
  Folder folder;
  World world{folder.path() / "run"};
  Ready() { REQUIRE(world.recover().empty()); }
};

}  // namespace mahavishnu::workers::test
