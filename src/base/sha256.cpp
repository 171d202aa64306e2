#include "base/sha256.h"

#include <openssl/evp.h>

#include <stdexcept>

namespace mahavishnu::base {

Digest sha256(std::string_view text) {
  Digest digest;
  // Found once, for good: SHA256() looks for it every time, which takes longer than a short text.
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (EVP_Digest(text.data(), text.size(), digest.data(), nullptr, algorithm, nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot make a SHA-256");
  }
  return digest;
}

std::string sha256_hex(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto bytes = sha256(text);
  std::string hex;
  hex.reserve(2 * bytes.size());
  for (const unsigned char byte : bytes) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

}  // namespace mahavishnu::base
