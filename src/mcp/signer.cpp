#include "mcp/signer.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "base/base64.h"

namespace mahavishnu::mcp {
namespace {

std::string random_key() {
  std::string key(32, '\0');
  if (getentropy(key.data(), key.size()) != 0) {
    throw std::system_error(errno, std::generic_category(), "getentropy");
  }
  return key;
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace

Signer::Signer(std::string key) : key_(key.empty() ? random_key() : std::move(key)) {}

std::string Signer::sign(std::string_view text) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned size = 0;
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), bytes_of(text), text.size(),
           out.data(), &size) == nullptr) {
    throw std::runtime_error("HMAC with SHA-256 is not available");
  }
  return base::encode_base64({reinterpret_cast<const char*>(out.data()), size});
}

bool Signer::is_signature(std::string_view signature, std::string_view text) const {
  const std::string right = sign(text);
  return signature.size() == right.size() &&
         CRYPTO_memcmp(signature.data(), right.data(), right.size()) == 0;
}

}  // namespace mahavishnu::mcp
