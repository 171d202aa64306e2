#include "app/jwt_keys.h"

#include <cjose/cjose.h>
#include <openssl/err.h>

#include <algorithm>

#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using rpc::Json;

constexpr std::size_t kLongestSet = 256U << 10U;
constexpr std::size_t kMostKeys = 64;
// Of an RSA modulus: longer ones cost more than a request may.
constexpr std::size_t kLeastModulus = 256, kMostModulus = 1024;

struct FreeKey {
  void operator()(cjose_jwk_t* key) const { cjose_jwk_release(key); }
};
struct FreeSignature {
  void operator()(cjose_jws_t* jws) const { cjose_jws_release(jws); }
};
using KeyPtr = std::unique_ptr<cjose_jwk_t, FreeKey>;

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// "EC P-256" for ES256: each curve has one algorithm (RFC 7518, 3.4).
std::string kind_for(std::string_view algorithm) {
  if (!algorithm.starts_with("ES")) return "RSA";
  if (algorithm == "ES256") return "EC P-256";
  return algorithm == "ES384" ? "EC P-384" : "EC P-521";
}

bool is_for_verifying(const Json& key) {
  if (key.contains("use") && text_in(key, "use") != "sig") return false;
  const auto uses = key.find("key_ops");
  return uses == key.end() ||
         (uses->is_array() && std::find(uses->begin(), uses->end(), Json("verify")) != uses->end());
}

// The public half of a key and nothing else of it; null: of no kind that is used here.
Json public_half(const Json& key) {
  const std::string type = text_in(key, "kty");
  const auto whole = [&key](const char* name) { return decode_base64url(text_in(key, name)); };
  if (type == "RSA") {
    const auto modulus = whole("n");
    const auto exponent = whole("e");
    if (!modulus || !exponent || exponent->empty() || exponent->size() > 8) return nullptr;
    const auto start = std::min(modulus->find_first_not_of('\0'), modulus->size());
    const std::size_t bytes = modulus->size() - start;
    if (bytes < kLeastModulus || bytes > kMostModulus) return nullptr;
    return {{"kty", type}, {"n", key["n"]}, {"e", key["e"]}};
  }
  if (type != "EC" || !whole("x") || !whole("y")) return nullptr;
  return {{"kty", type}, {"crv", text_in(key, "crv")}, {"x", key["x"]}, {"y", key["y"]}};
}

}  // namespace

struct JwtKeys::Key {
  std::string id;         // "": none
  std::string kind;       // "RSA", "EC P-256"
  std::string algorithm;  // "": any of its kind
  std::string material;   // as JSON
  KeyPtr key;

  bool fits(const Jwt& jwt) const {
    return kind == kind_for(jwt.algorithm) && (algorithm.empty() || algorithm == jwt.algorithm) &&
           (jwt.key_id.empty() || id == jwt.key_id);
  }
  bool operator==(const Key& other) const {
    return id == other.id && algorithm == other.algorithm && material == other.material;
  }
};

JwtKeys::JwtKeys() = default;
JwtKeys::~JwtKeys() = default;

std::size_t JwtKeys::size() const { return keys_.size(); }

Result<std::shared_ptr<const JwtKeys>> JwtKeys::parse(std::string_view text) {
  if (text.size() > kLongestSet) {
    return fail(ErrorCode::InvalidArgument, "the key set is longer than 256 KiB");
  }
  const auto json = rpc::parse(text);
  const bool shaped = json && json->is_object() && json->contains("keys") &&
                      (*json)["keys"].is_array() && (*json)["keys"].size() <= kMostKeys;
  if (!shaped) {
    return fail(ErrorCode::InvalidArgument,
                "the key set is not {\"keys\": […]} of at most 64 keys");
  }
  std::shared_ptr<JwtKeys> set(new JwtKeys);
  for (const Json& entry : (*json)["keys"]) {
    if (!entry.is_object() || !is_for_verifying(entry)) continue;
    const Json half = public_half(entry);
    if (half.is_null()) continue;
    const std::string material = half.dump();
    cjose_err error{};
    KeyPtr key(cjose_jwk_import(material.data(), material.size(), &error));
    if (!key) continue;
    std::string kind = half.contains("crv") ? "EC " + text_in(half, "crv") : std::string("RSA");
    set->keys_.push_back(
        {text_in(entry, "kid"), std::move(kind), text_in(entry, "alg"), material, std::move(key)});
  }
  ERR_clear_error();
  if (set->keys_.empty()) {
    return fail(ErrorCode::InvalidArgument,
                "the key set has no RSA key of 2048 bits or more and no EC key that signs");
  }
  return std::shared_ptr<const JwtKeys>(std::move(set));
}

Status JwtKeys::verify(std::string_view text, const Jwt& jwt) const {
  const Key* fitting = nullptr;
  for (const Key& key : keys_) {
    if (!key.fits(jwt)) continue;
    if (fitting != nullptr) {
      return fail(ErrorCode::NotFound, "the token does not say which of several keys signed it");
    }
    fitting = &key;
  }
  if (fitting == nullptr) {
    return fail(ErrorCode::NotFound,
                "the token is signed with a key that its issuer does not list");
  }
  cjose_err error{};
  const std::unique_ptr<cjose_jws_t, FreeSignature> jws(
      cjose_jws_import(text.data(), text.size(), &error));
  const bool signed_by_it = jws && cjose_jws_verify(jws.get(), fitting->key.get(), &error);
  ERR_clear_error();  // what is left there would be taken for a failure of the next who looks
  if (signed_by_it) return {};
  return fail(ErrorCode::Unauthenticated, "the token's signature is not right");
}

bool JwtKeys::has_all_of(const JwtKeys& former) const {
  return std::all_of(former.keys_.begin(), former.keys_.end(), [this](const Key& key) {
    return std::find(keys_.begin(), keys_.end(), key) != keys_.end();
  });
}

}  // namespace mahavishnu::app
