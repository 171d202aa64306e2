// SHA-256 (FIPS 180-4), by OpenSSL. Any thread. Throws std::runtime_error where OpenSSL has none:
// never a digest of chance.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace mahavishnu::base {

using Digest = std::array<unsigned char, 32>;

Digest sha256(std::string_view text);
// Hex digits, lower case.
std::string sha256_hex(std::string_view text);

}  // namespace mahavishnu::base
