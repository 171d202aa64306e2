// Marks what a client carries for the server, so that it cannot be made up or changed: an HMAC
// (SHA-256) under a key that never leaves the server. Plain values; one thread.
#pragma once

#include <string>
#include <string_view>

namespace mahavishnu::mcp {

class Signer {
 public:
  // `key` "": one is made, and nothing signed is good after this object's end.
  explicit Signer(std::string key);

  std::string sign(std::string_view text) const;  // 44 characters of Base64
  // Compares in constant time.
  bool is_signature(std::string_view signature, std::string_view text) const;

 private:
  std::string key_;
};

}  // namespace mahavishnu::mcp
