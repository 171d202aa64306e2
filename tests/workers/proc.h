// What runs on this machine, looked up by the tests themselves (not by the code under test).
#pragma once

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "workers/descriptor.h"

namespace mahavishnu::workers::test {

// "" for what is gone by now: reading the file of a process that ends fails in the middle.
inline std::string slurp(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

// Processes with this text in their command line (not zombies: those have none).
inline std::vector<pid_t> with_argument(const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid > 0 && slurp(entry.path() / "cmdline").find(text) != std::string::npos) {
      found.push_back(pid);
    }
  }
  return found;
}

// A number of seconds that nothing else on this machine sleeps for.
inline std::string long_sleep() {
  static int count = 0;
  return "86400" + std::to_string(::getpid()) + "." + std::to_string(++count);
}

inline pid_t zygote_of_this_process() {
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string status = slurp(entry.path() / "status");
    const bool ours =
        status.find("PPid:\t" + std::to_string(::getpid()) + "\n") != std::string::npos;
    const bool zombie = status.find("State:\tZ") != std::string::npos;
    if (ours && !zombie && status.starts_with("Name:\tmahavishnu-zygo\n")) {
      return std::atoi(entry.path().filename().c_str());
    }
  }
  return 0;
}

// Blocks until a process that is not our child has ended.
class Watched {
 public:
  explicit Watched(pid_t pid) : process_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  bool ended_within(int milliseconds) const {
    if (!process_) return true;
    pollfd poll{process_.get(), POLLIN, 0};
    return ::poll(&poll, 1, milliseconds) == 1;
  }

 private:
  Descriptor process_;
};

}  // namespace mahavishnu::workers::test
