// app/jwt and app/grant. For every text, as a token, as a token's header and as its claims:
// - what is taken is three parts of Base64url, each with one way to be written, the first two
//   objects that nlohmann reads alike, with an algorithm of the list and no header that demands
//   anything; what is unsigned is never taken;
// - a header or claims that are no object, or have a key twice, are never taken; any other claims
// are;
// - what is granted is ours: its issuer, audience, times, scope and bounds are looked at anew here.
#include "app/jwt.h"

#include <algorithm>
#include <set>

#include "app/grant.h"
#include "fuzz.h"

namespace mahavishnu::fuzzing {
namespace {

using namespace app;
using rpc::Json;

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::int64_t kNowMs = 1'800'000'000'000;
const std::vector<std::string> kAllowed{"RS256", "ES256"};

std::string encoded(std::string_view bytes) {
  std::string out;
  unsigned held = 0;
  int bits = 0;
  for (const char c : bytes) {
    held = held << 8U | static_cast<unsigned char>(c);
    for (bits += 8; bits >= 6; bits -= 6) out += kDigits[held >> (bits - 6) & 63U];
    held &= 255U;
  }
  if (bits > 0) out += kDigits[held << (6 - bits) & 63U];
  return out;
}

// The bytes of a part, when writing them gives the part again.
std::string decoded(std::string_view part) {
  std::string bytes;
  unsigned held = 0;
  int bits = 0;
  for (const char c : part) {
    const auto digit = kDigits.find(c);
    expect(digit != kDigits.npos, "a part has no foreign character");
    held = (held << 6U | static_cast<unsigned>(digit)) & 0xFFFU;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes += static_cast<char>(held >> bits & 255U);
  }
  expect(encoded(bytes) == part, "there is one way to write a part");
  return bytes;
}

// As nlohmann reads it: null when it is no object or has a key twice anywhere. It takes a NUL for
// the end of the text.
Json object_of(const std::string& text) {
  if (text.find('\0') != text.npos) return nullptr;
  std::vector<std::set<std::string>> keys;
  bool twice = false;
  const auto watch = [&](int, Json::parse_event_t event, Json& value) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key) twice |= !keys.back().insert(value).second;
    return true;
  };
  Json json = Json::parse(text, watch, false);
  return json.is_discarded() || !json.is_object() || twice ? Json(nullptr) : json;
}

GrantRules rules() {
  GrantRules rules;
  rules.issuer = "https://i";
  rules.audiences = {"https://a"};
  rules.scopes = {
      {"r", tools::Scope::Read}, {"w", tools::Scope::Run}, {"all", tools::Scope::Admin}};
  rules.pools_claim = "p";
  return rules;
}

void check_grant(const Json& claims) {
  auto free = rules();
  free.pools_claim.clear();
  for (const GrantRules& with : {rules(), free}) {
    const auto grant = grant_of(claims, with, base::WallTime(base::Millis(kNowMs)));
    if (!grant) continue;
    expect(claims.at("iss") == "https://i", "the issuer is ours");
    const Json& aud = claims.at("aud");
    expect(
        aud == "https://a" || (aud.is_array() && std::count(aud.begin(), aud.end(), "https://a")),
        "the audience is ours");
    const double now = static_cast<double>(kNowMs) / 1000;
    expect(claims.at("exp").get<double>() + 60 >= now, "it has not expired");
    for (const char* begin : {"nbf", "iat"}) {
      if (claims.contains(begin))
        expect(claims[begin].get<double>() - 60 <= now + 0.002, "it has begun");
    }
    expect(claims.at("sub") == grant->subject && !grant->subject.empty(), "it names who comes");
    const std::string said =
        claims.contains("scope") ? claims["scope"].dump() : claims["scp"].dump();
    const char* name = grant->scope == tools::Scope::Read ? "r" : "w";
    expect(said.find(name) != said.npos || said.find("all") != said.npos,
           "somebody gave the scope");
    expect(grant->bounds.pools.empty() == with.pools_claim.empty(), "bounds are there when wanted");
    expect(grant->bounds.none() || grant->scope != tools::Scope::Admin,
           "who is bound rules nothing");
  }
}

// Whether it was taken.
bool check_token(const std::string& token) {
  expect(!parse_jwt(token, {"none", "HS256", "HS512", ""}), "no list allows what proves nothing");
  const auto jwt = parse_jwt(token, kAllowed);
  if (!jwt) return false;
  expect(token.size() <= kLongestJwt && std::count(token.begin(), token.end(), '.') == 2,
         "a token has three parts");
  const auto first = token.find('.');
  const auto second = token.rfind('.');
  const Json header = object_of(decoded(token.substr(0, first)));
  const Json claims = object_of(decoded(token.substr(first + 1, second - first - 1)));
  expect(!decoded(token.substr(second + 1)).empty(), "what is taken is signed");
  expect(!header.is_null() && !claims.is_null(),
         "header and claims are objects, with no key twice");
  expect(header.at("alg") == jwt->algorithm, "its algorithm is the header's");
  expect(jwt->algorithm == "RS256" || jwt->algorithm == "ES256", "and one that is allowed");
  expect(header.value("kid", Json("")) == jwt->key_id, "its key is the header's");
  expect(!header.contains("crit") && !header.contains("b64"), "its header demands nothing");
  expect(claims.dump() == jwt->claims.dump(), "its claims are read alike");
  check_grant(jwt->claims);
  return true;
}

}  // namespace

void fuzz(std::string_view input) {
  const auto shape = take_byte(input);
  const std::string text(input);
  if (shape % 3 == 0) {
    check_token(text);
  } else if (shape % 3 == 1) {
    const std::string token = encoded(R"({"alg":"ES256"})") + "." + encoded(text) + ".c2ln";
    const bool taken = check_token(token);
    if (token.size() <= kLongestJwt && !taken) {
      const Json claims = object_of(text);
      // Numbers that a double cannot hold are the codec's to refuse.
      expect(claims.is_null() || text.find_first_of("0123456789") != text.npos,
             "claims that are an object are taken");
    }
  } else {
    check_token(encoded(text) + "." + encoded("{}") + ".c2ln");
    expect(!check_token(encoded(text) + "." + encoded("{}") + "."),
           "without a signature it is none");
  }
}

}  // namespace mahavishnu::fuzzing
