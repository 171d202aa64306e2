// Who runs, from /proc: the descendants of a process, and the processes that carry a mark.
//
// Zombies are not counted: they run nothing. A snapshot of /proc is never exact while processes
// fork; whoever kills by it looks again until nothing is left. Any thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "workers/descriptor.h"

namespace mahavishnu::workers {

// Readable once the process has ended, and no other that gets its number. NotFound: it has been
// reaped; Unavailable: no descriptor is left, or the kernel has no pidfd_open (Linux 5.3).
base::Result<Descriptor> open_process(pid_t pid);

std::vector<pid_t> descendants_of(pid_t root);

// Resident bytes of all that runs below each of `roots`, in their order; 0 for a root <= 0. One
// look at /proc for all of them.
std::vector<std::int64_t> resident_below(const std::vector<pid_t>& roots);

// Processes with MAHAVISHNU_ATTEMPT=<mark> in the environment they were started with.
std::vector<pid_t> processes_marked(std::string_view mark);

// Kills what a dead shim left behind: what carries its mark, and what fell to the zygote (the next
// subreaper above it), with all descendants. Looks until nothing is found or the time is over.
// Returns how many are left. Blocks.
int kill_leftovers(std::string_view mark, pid_t zygote, std::chrono::milliseconds at_most);

}  // namespace mahavishnu::workers
