// libFuzzer's entry, and the bound on time: processor time, the least of several tries, so that a
// busy or halted machine (whose lost time may be charged to us) finds nothing. A call that never
// ends is libFuzzer's own -timeout.
#include <ctime>

#include "fuzz.h"

namespace {

constexpr double kMostSeconds = 2;  // for inputs of a few KiB, with sanitizers
constexpr int kTries = 5;

double processor_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  bool in_time = false;
  for (int i = 0; i < kTries && !in_time; ++i) {
    const double before = processor_seconds();
    mahavishnu::fuzzing::fuzz({reinterpret_cast<const char*>(data), size});
    in_time = processor_seconds() - before < kMostSeconds;
  }
  mahavishnu::fuzzing::expect(in_time, "bounded time");
  return 0;
}
