// A signed token in its compact form (RFC 7519, RFC 7515), read strictly and believed in nothing.
//
// What passes is three parts of Base64url without a bit to spare, two of them JSON objects without
// a key twice, signed by an algorithm of the list; a header that would change how the rest is read
// (`crit`, `b64`) is refused, and one that brings a key (`jwk`, `jku`, `x5c`, `x5u`) is not looked
// at. Whether the signature is right is jwt_keys.h's, what the claims are good for is grant.h's.
// Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "rpc/json.h"

namespace mahavishnu::app {

// Claims of a directory with many groups fit; a whole head may have 16 KiB.
inline constexpr std::size_t kLongestJwt = 8192;

struct Jwt {
  std::string algorithm;  // "RS256"
  std::string key_id;     // "": it names none
  rpc::Json claims;
};

// Whether a credential has the three parts of one; tokens of our own never do.
bool is_jwt(std::string_view text);

// Those that public keys verify here: RS, PS and ES with 256, 384 and 512 bits. Never `none`, and
// never HMAC, for which a public key would be the secret.
bool is_jwt_algorithm(std::string_view name);

// Unauthenticated says what is wrong, and repeats nothing of the token.
base::Result<Jwt> parse_jwt(std::string_view text, const std::vector<std::string>& algorithms);

// Nothing when it is not strictly right: no padding, no foreign characters, no left-over bits.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace mahavishnu::app
