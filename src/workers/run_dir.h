// Where the files of attempts are, below the executor's run directory.
//
//   zygote.lock        flock'ed by a zygote and by its shims while they may get an order
//   a/<fence>          the attempt file: claim, identity, end record; flock'ed while the shim lives
//   a/<fence>.sock     where the shim listens once it has lost its server
//   a/<fence>.d/       scratch folder, of this attempt or of a later one of its shim (scratch.h)
//   a/spare-<fence>[.d]  what a released attempt left, to be used again, or new (spares.h)
//   output/<mark>      the spool: kept output that is more than the end record holds
#pragma once

#include <string>
#include <string_view>

#include "workers/messages.h"

namespace mahavishnu::workers {

inline std::string zygote_lock(const std::string& run_dir) { return run_dir + "/zygote.lock"; }
inline std::string attempts_dir(const std::string& run_dir) { return run_dir + "/a"; }
inline std::string output_dir(const std::string& run_dir) { return run_dir + "/output"; }
inline std::string attempt_path(const std::string& run_dir, Fence fence) {
  return attempts_dir(run_dir) + "/" + fence_name(fence);
}
inline constexpr std::string_view kScratchEnding = ".d";
inline std::string scratch_path(const std::string& run_dir, Fence fence) {
  return attempt_path(run_dir, fence) + std::string(kScratchEnding);
}
inline constexpr std::string_view kSparePrefix = "spare-";
inline std::string spare_path(const std::string& run_dir, const std::string& spare) {
  return attempts_dir(run_dir) + "/" + std::string(kSparePrefix) + spare;
}
inline std::string spare_scratch_path(const std::string& run_dir, const std::string& spare) {
  return spare_path(run_dir, spare) + std::string(kScratchEnding);
}
inline std::string socket_name(Fence fence) { return fence_name(fence) + ".sock"; }
inline std::string spool_path(const std::string& run_dir, const std::string& mark) {
  return output_dir(run_dir) + "/" + mark;
}

}  // namespace mahavishnu::workers
