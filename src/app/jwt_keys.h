// The public keys of an issuer (a JWK Set, RFC 7517), and whether one of them signed a token.
//
// The only place that knows libcjose. Keys for other uses, of other kinds (symmetric ones above
// all) or too short (RSA under 2048 bits) are left out. Immutable; one thread at a time, since
// verifying takes references to keys that are not counted atomically.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "app/jwt.h"
#include "base/result.h"

namespace mahavishnu::app {

class JwtKeys {
 public:
  // At most 64 keys in 256 KiB. InvalidArgument: it is no such set, or has no key of use here.
  static base::Result<std::shared_ptr<const JwtKeys>> parse(std::string_view text);
  ~JwtKeys();
  JwtKeys(const JwtKeys&) = delete;
  JwtKeys& operator=(const JwtKeys&) = delete;

  // `jwt` is what parse_jwt made of `text`. NotFound: there is no key of that id for that algorithm
  // (one without an id in the token: not exactly one key). Unauthenticated: it did not sign this.
  base::Status verify(std::string_view text, const Jwt& jwt) const;

  std::size_t size() const;
  // Whether it has every key that `former` has: nothing that was good before is not so any more.
  bool has_all_of(const JwtKeys& former) const;

 private:
  struct Key;
  JwtKeys();
  std::vector<Key> keys_;
};

}  // namespace mahavishnu::app
