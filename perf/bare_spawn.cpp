// What the kernel alone allows: a loop of posix_spawn with so many children in flight.
//
// usage: bare_spawn CHILDREN IN_FLIGHT COMMAND…
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern char** environ;

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: bare_spawn CHILDREN IN_FLIGHT COMMAND...\n");
    return 2;
  }
  const long children = std::atol(argv[1]);
  const long in_flight = std::atol(argv[2]);
  const auto began = std::chrono::steady_clock::now();
  long started = 0;
  for (long ended = 0; ended < children;) {
    while (started < children && started - ended < in_flight) {
      pid_t pid = 0;
      if (const int error = posix_spawn(&pid, argv[3], nullptr, nullptr, argv + 3, environ)) {
        std::fprintf(stderr, "cannot start %s: %s\n", argv[3], std::strerror(error));
        return 1;
      }
      ++started;
    }
    int status = 0;
    if (waitpid(-1, &status, 0) < 0 || status != 0) {
      std::fprintf(stderr, "a child failed (wait status %d)\n", status);
      return 1;
    }
    ++ended;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("{\"children\":%ld,\"seconds\":%.6f,\"per_second\":%.1f}\n", children, took.count(),
              static_cast<double>(children) / took.count());
  return 0;
}
