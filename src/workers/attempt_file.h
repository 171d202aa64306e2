// The file by which an attempt has one owner, and by which its end outlives everyone.
//
// A shim makes it with O_EXCL, or moves a spare there that replaces nothing, before it starts
// anything: of two shims that were given the same fence one gets it, the other leaves without a
// trace, so an order may be sent again without fear.
// The shim holds its flock as long as the attempt is its own. The end is one write behind the
// header: it is there as a whole or not at all. The server removes the file once the end is on its
// own disk.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "base/result.h"
#include "workers/descriptor.h"
#include "workers/messages.h"

namespace mahavishnu::workers {

// Grows when messages or files change so that an older shim cannot be understood any more.
inline constexpr std::uint64_t kProtocol = 1;

struct AttemptHeader {
  std::uint64_t protocol = kProtocol;
  domain::TaskId task;
  std::uint32_t attempt = 0;
  Fence fence;
  pid_t shim = 0;
  std::string node;

  std::string mark() const { return attempt_mark(task, attempt, fence); }
};

class AttemptFile {
 public:
  // `spare`: of the run directory (spares.h), or "". Conflict: the attempt has been claimed before.
  static base::Result<AttemptFile> claim(const std::string& run_dir, const AttemptHeader& header,
                                         const std::string& spare = "");

  // Becomes the file of another attempt, when its own, `former`, has been released. False: not this
  // file, then nothing is left of it.
  bool claim_next(const std::string& run_dir, Fence former, const AttemptHeader& header);

  base::Status write_end(const AttemptEnded& end);

  // Gives the lock up: nothing more will be written for this attempt.
  void unlock();

 private:
  explicit AttemptFile(Descriptor file) : file_(std::move(file)) {}
  Descriptor file_;
};

struct AttemptState {
  AttemptHeader header;
  std::optional<AttemptEnded> end;
  bool alive = false;  // its shim holds the lock
};

// NotFound: never claimed (or released). Internal: unreadable, or the claim was cut short.
base::Result<AttemptState> read_attempt(const std::string& path);

}  // namespace mahavishnu::workers
