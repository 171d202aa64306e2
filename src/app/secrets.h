// Secrets in files that only their owner reads; and the HTTP token: 256 bits from the system's
// randomness, written once to such a file.
//
// Its text is never logged; it is printed once, when it was made. Any thread.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace mahavishnu::app {

// Hex digits, lower case.
std::string sha256_hex(std::string_view text);

// 43 characters of base64url.
base::Result<std::string> make_token();

struct Token {
  std::string text;
  bool is_new = false;  // made by this call
};
// Reads `file`, or makes it (0600). Denied when others may read it: says how to close it.
base::Result<Token> load_or_make_token(const std::string& file);
base::Result<std::string> read_token(const std::string& file);
// Somebody else's token or password, one word: of any length. Denied as above.
base::Result<std::string> read_secret(const std::string& file);

// Compares in constant time: how long it takes tells nothing of the token but its length.
class TokenCheck {
 public:
  explicit TokenCheck(std::string token) : token_(std::move(token)) {}
  bool matches(std::string_view candidate) const;

 private:
  std::string token_;
};

}  // namespace mahavishnu::app
