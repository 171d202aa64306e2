#include "app/jwt.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

constexpr std::array<std::string_view, 9> kAlgorithms{"RS256", "RS384", "RS512", "PS256", "PS384",
                                                      "PS512", "ES256", "ES384", "ES512"};
constexpr std::array<std::string_view, 3> kTypes{"jwt", "at+jwt", "application/at+jwt"};
constexpr std::size_t kLongestKeyId = 256;

tl::unexpected<base::Error> refuse(const char* why) {
  return fail(ErrorCode::Unauthenticated, std::string("the token ") + why);
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return text;
}

// A part that is a JSON object; null when it is none.
Json object_of(std::string_view part) {
  const auto bytes = decode_base64url(part);
  if (!bytes) return nullptr;
  auto json = rpc::parse(*bytes);
  return json && json->is_object() ? std::move(*json) : Json(nullptr);
}

// "" where the member is absent; nullopt where it is no text.
std::optional<std::string> text_of(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::string();
  if (!found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

}  // namespace

bool is_jwt(std::string_view text) { return std::count(text.begin(), text.end(), '.') == 2; }

bool is_jwt_algorithm(std::string_view name) {
  return std::find(kAlgorithms.begin(), kAlgorithms.end(), name) != kAlgorithms.end();
}

std::optional<std::string> decode_base64url(std::string_view text) {
  if (text.find_first_of("+/=") != text.npos || text.size() % 4 == 1) return std::nullopt;
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  plain.append((4 - plain.size() % 4) % 4, '=');
  return base::decode_base64(plain);
}

Result<Jwt> parse_jwt(std::string_view text, const std::vector<std::string>& algorithms) {
  if (text.size() > kLongestJwt) return refuse("is longer than 8192 characters");
  if (!is_jwt(text)) return refuse("has not the three parts of a signed one");
  const auto first = text.find('.');
  const auto second = text.find('.', first + 1);
  const Json header = object_of(text.substr(0, first));
  if (header.is_null()) return refuse("has a header that is no JSON object in Base64url");
  if (header.contains("crit") || header.contains("b64")) {
    return refuse("has a header that demands what is not known here");
  }
  const auto algorithm = text_of(header, "alg");
  const auto type = text_of(header, "typ");
  const auto key_id = text_of(header, "kid");
  if (!algorithm || !is_jwt_algorithm(*algorithm) ||
      std::find(algorithms.begin(), algorithms.end(), *algorithm) == algorithms.end()) {
    return refuse("is not signed by an algorithm that is allowed here");
  }
  if (!type ||
      (!type->empty() && std::find(kTypes.begin(), kTypes.end(), lower(*type)) == kTypes.end())) {
    return refuse("is of a type that is no access token's");
  }
  if (!key_id || key_id->size() > kLongestKeyId) return refuse("has a key id that is none");
  const auto signature = decode_base64url(text.substr(second + 1));
  if (!signature || signature->empty()) return refuse("has no signature in Base64url");
  Json claims = object_of(text.substr(first + 1, second - first - 1));
  if (claims.is_null()) return refuse("has claims that are no JSON object in Base64url");
  return Jwt{*algorithm, *key_id, std::move(claims)};
}

}  // namespace mahavishnu::app
