// A control group for one attempt, for limits that bind the attempt as a whole.
//
// Found through /proc/self/mountinfo, never assumed: v2 where the controller is there and a group
// can be made below (or beside) our own, v1 hierarchies otherwise. What could not be set up is not
// limited: ask limits_memory() and limits_processes(). Made by the shim only when a limit is asked
// for; the child enters it before it becomes the command. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "workers/descriptor.h"

namespace mahavishnu::workers {

class Cgroup {
 public:
  Cgroup() = default;
  // 0: no such limit. `name` must be unique on the machine.
  Cgroup(const std::string& name, std::uint64_t memory_bytes, std::uint64_t processes);

  bool limits_memory() const { return !memory_.empty(); }
  bool limits_processes() const { return !pids_.empty(); }

  // Descriptors of the `cgroup.procs` to write "0" to in order to enter.
  std::vector<int> entries() const;

  // Whether the kernel killed something in it for want of memory.
  bool out_of_memory() const;

  // Needs that nothing runs in it any more.
  void remove();

 private:
  bool join_v2(const std::string& name, std::uint64_t memory_bytes, std::uint64_t processes);
  std::string join_v1(const std::string& controller, const std::string& name);
  bool enter(const std::string& dir);

  std::string memory_;  // the group's directory; empty: not limited
  std::string pids_;
  bool unified_ = false;
  std::vector<std::string> made_;
  std::vector<Descriptor> entries_;
};

// Removes the groups of this name, wherever they are: for a shim that died. Needs them empty.
void remove_cgroups(const std::string& name);

}  // namespace mahavishnu::workers
