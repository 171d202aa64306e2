// Starts one process the way an attempt wants it: own session, exact environment, limits.
//
// By vfork, so that it costs the same whatever the caller's size is, and so that a failure before
// the program runs is seen by the caller as a plain errno. The caller is single-threaded.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "domain/types.h"

namespace mahavishnu::workers {

struct LaunchPlan {
  std::vector<std::string> argv;  // not empty
  std::vector<std::string> env;   // "NAME=value"; PATH in it is where argv[0] is searched
  int in = 0, out = 1, err = 2;   // become 0, 1, 2 of the process
  int report = -1;                // becomes 3 (report.h); -1: none
  std::uint64_t cpu_seconds = 0;  // 0: no limit
  std::uint64_t address_space = 0;
  std::vector<int> cgroup_entries;  // files to write "0" to
};

struct Launched {
  pid_t pid = 0;
  bool entered = true;  // all its control groups
};

// As execvp(3) finds it, but by this PATH ("": the usual one). A name with a slash is taken as it
// is. NotFound says where it was searched.
base::Result<std::string> find_program(const std::string& name, const std::string& path);

// The process runs the program when this returns. NotFound: no such command; the message says where
// it was searched. Denied: it may not be run. Unavailable: the system gave no process.
base::Result<Launched> launch(const LaunchPlan& plan);

}  // namespace mahavishnu::workers
