// Preloaded into a process: the name service answers nothing. A look-up gives up after DEAD_DNS_MS
// (default 10,000), about what the C library takes with a name server that swallows every packet.
#include <netdb.h>
#include <time.h>

#include <cstdlib>

extern "C" int getaddrinfo(const char*, const char*, const addrinfo*, addrinfo**) {
  const char* given = std::getenv("DEAD_DNS_MS");
  const long milliseconds = given == nullptr ? 10000L : std::atol(given);
  const timespec length{milliseconds / 1000, milliseconds % 1000 * 1000000L};
  nanosleep(&length, nullptr);
  return EAI_AGAIN;
}
