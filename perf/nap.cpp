// A step of so many milliseconds that says when it really ran: it adds a line with WHAT and its
// first and last moment (CLOCK_MONOTONIC, ns) to FILE. Lines of this size are appended whole.
//
// usage: nap MILLISECONDS FILE WHAT
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static long long now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long long>(now.tv_sec) * 1000000000LL + now.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const long long began = now_ns();
  const long milliseconds = atol(argv[1]);
  const timespec length{milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&length, nullptr);
  char line[128];
  const int bytes = snprintf(line, sizeof(line), "%s %lld %lld\n", argv[3], began, now_ns());
  const int file = open(argv[2], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  return file >= 0 && write(file, line, static_cast<size_t>(bytes)) == bytes ? 0 : 1;
}
