// What released attempts left, used again: their files, and their scratch folders when those are
// empty.
//
// The naive way makes and unlinks both for every attempt. A file system may keep a freed inode back
// (ext4: a minute, so that a crash cannot mix two files up) and then searches past all of them for
// each new one: at a thousand attempts a second that takes more time than the rest of the shim. A
// rename inside one directory takes little. The server keeps a released attempt's leavings under
// the attempt's own name and gives each name to one order; the shim moves them to their new place.
// Whatever goes wrong with a spare, a new file or folder is made instead. Functions: any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "workers/descriptor.h"
#include "workers/messages.h"

namespace mahavishnu::workers {

// An attempt whose end is on the server's own disk.
struct Released {
  Fence fence;
  std::string given;             // the spare its order named, or ""
  std::optional<Fence> scratch;  // the name of the folder it may have had (scratch.h)
};

// The server's side: removes everything of the attempt and, unless there are spares enough, keeps
// what can be used again. Answers the spare there is now, or "".
std::string clear_attempt(const std::string& run_dir, const Released& released, bool enough);

// The spares of a former life, at most `most`; others are removed.
std::vector<std::string> find_spares(const std::string& run_dir, std::size_t most);

// New ones for what nothing was released for yet, named after fences no server has: {0, first} and
// on. Fewer where the disk gives no more.
std::vector<std::string> make_spares(const std::string& run_dir, std::uint64_t first,
                                     std::size_t count);

// The shim's side. The spare's file, locked and holding `content` alone, written up to its end; no
// longer there as a spare when it cannot be had (its last shim may not have quite ended).
Descriptor open_spare(const std::string& run_dir, const std::string& spare,
                      const std::string& content);

// Locks the file and makes it hold `content` alone, written up to its end.
bool rewrite(int file, const std::string& content);

// The folder itself; none for a link to one.
Descriptor open_folder(const std::string& path);

// Whether there is nothing in an open folder. False: there is, or it is none.
bool is_empty_folder(int folder);

// Moves a spare's empty folder to where a scratch folder is to be.
bool use_folder(const std::string& from, const std::string& to);

}  // namespace mahavishnu::workers
