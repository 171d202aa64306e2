// How a process beside the server is started: a session of its own, default signals, no folder held
// and nothing open but what it is given. Only for what is started now and then; work is started by
// the zygote. One thread.
#pragma once

#include <sys/types.h>

#include <spawn.h>

#include <string>
#include <vector>

namespace mahavishnu::app {

class SpawnPlan {
 public:
  SpawnPlan();
  ~SpawnPlan();
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  // It sees `from` as its descriptor `to`, 0 to 2; what is not given is /dev/null.
  void connect(int from, int to);
  // It appends to the file what it writes to `to`.
  void append(const std::string& file, int to);

  // 0, or an errno. `environment`: "NAME=value".
  int run(pid_t& pid, const std::string& binary, std::vector<std::string> words,
          std::vector<std::string> environment);

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace mahavishnu::app
