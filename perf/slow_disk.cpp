// Preloaded into a server: every sync takes SLOW_DISK_MS (default 50) longer, as on a disk that is
// worn out or shared. Reads and writes go to the page cache as on any machine.
#include <dlfcn.h>
#include <time.h>

#include <cstdlib>

namespace {

void wait_for_the_disk() {
  static const long milliseconds = [] {
    const char* given = std::getenv("SLOW_DISK_MS");
    return given == nullptr ? 50L : std::atol(given);
  }();
  const timespec length{milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&length, nullptr);
}

int sync_by(const char* name, int file) {
  wait_for_the_disk();
  const auto real = reinterpret_cast<int (*)(int)>(dlsym(RTLD_NEXT, name));
  return real(file);
}

}  // namespace

extern "C" int fsync(int file) { return sync_by("fsync", file); }
extern "C" int fdatasync(int file) { return sync_by("fdatasync", file); }
