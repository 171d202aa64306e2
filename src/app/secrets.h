// Secrets in files that only their owner reads; and the first HTTP token: 256 bits from the
// system's randomness, written once to such a file.
//
// Its text is never logged; it is printed once, when it was made. Any thread.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"

namespace mahavishnu::app {

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

// All of a private file, at most `most` bytes; `what` it is, for messages. NotFound: it is not
// there. Denied: others may read it, or we may not. InvalidArgument: it is longer.
base::Result<std::string> read_private(const std::string& file, const char* what, std::size_t most);
// Puts a private file (0600) in the place of the one there is, as a whole and for good.
base::Status replace_private(const std::string& file, const std::string& text);

// Compares in constant time: how long it takes tells nothing of the token but its length.
class TokenCheck {
 public:
  explicit TokenCheck(std::string token) : token_(std::move(token)) {}
  bool matches(std::string_view candidate) const;

 private:
  std::string token_;
};

}  // namespace mahavishnu::app
