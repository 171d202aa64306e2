// How long the files with the output of ended attempts are kept (output/<mark>, run_dir.h): so many
// days, and so many bytes together, the oldest go first.
//
// An attempt is ended when its own file is gone: that is there from before the output's file until
// the server has the end on its disk. So the names alone decide, whoever else starts or ends
// meanwhile. Functions: any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace mahavishnu::workers {

struct OutputKeeping {
  base::Millis keep{7 * 24 * 3600 * 1000LL};  // since it was written last
  std::uint64_t max_bytes = 2ULL << 30;
};

struct Swept {
  int files = 0;
  std::uint64_t bytes = 0;
  int failed = 0;     // could not be removed
  bool more = false;  // a pass removes at most kSweptAtOnce
};

inline constexpr int kSweptAtOnce = 1000;

// One pass. It looks at every file there is, of which max_bytes bounds the number: none has less
// than 8 KiB.
Swept sweep_output(const std::string& run_dir, const OutputKeeping& keeping, base::WallTime now);

}  // namespace mahavishnu::workers
