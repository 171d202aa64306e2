#include "mcp/unguessable.h"

#include <sys/random.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

namespace mahavishnu::mcp {

std::string unguessable_id() {
  std::array<unsigned char, 16> bits{};
  if (getentropy(bits.data(), bits.size()) != 0) {
    throw std::system_error(errno, std::generic_category(), "getentropy");
  }
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  for (const unsigned char byte : bits) {
    id += kDigits[byte >> 4];
    id += kDigits[byte & 15];
  }
  return id;
}

}  // namespace mahavishnu::mcp
