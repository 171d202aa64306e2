// The child whose start is measured: prints CLOCK_MONOTONIC, in nanoseconds, as the first thing it
// does. It uses nothing of the C++ library, so that loading it costs what loading /bin/true does.
#include <stdio.h>
#include <time.h>

int main() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  printf("%lld\n", static_cast<long long>(now.tv_sec) * 1000000000LL + now.tv_nsec);
  return 0;
}
