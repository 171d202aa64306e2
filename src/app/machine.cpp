#include "app/machine.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <thread>

namespace mahavishnu::app {

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

int cores() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

}  // namespace mahavishnu::app
