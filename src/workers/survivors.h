// What the files of a run directory say about attempts whose shim cannot be asked (any more).
//
// Everything here blocks and belongs on a FileWork thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "workers/attempt_file.h"
#include "workers/descriptor.h"

namespace mahavishnu::workers {

// An attempt of a former life: ended unseen (Lost, when its shim was killed), or alive and
// connected.
struct Survivor {
  AttemptHeader header;
  std::optional<AttemptEnded> end;
  Descriptor socket;
};

// All of them. What is left of an attempt whose shim died without an end record is ended, and it is
// Lost with what its spool holds; a shim that cannot be reached within 5 s, or is of another
// protocol, is killed first. Requires that nothing of the former life can still start (the zygote's
// lock).
std::vector<Survivor> find_survivors(const std::string& run_dir, const std::string& node);

// What became of an attempt whose shim closed its connection without a word.
struct Fate {
  bool claimed = false;             // false: no shim took it, it never started
  std::optional<AttemptEnded> end;  // set if claimed; Lost if the shim died, after its leftovers
};
Fate fate_of(const std::string& run_dir, Fence fence, pid_t zygote);

void remove_scratch(const std::string& run_dir, Fence fence);
// Drops what is left of an ended attempt; the spool stays.
void remove_attempt(const std::string& run_dir, Fence fence);

}  // namespace mahavishnu::workers
