// Tokens of an authorization server: read, judged by their claims, verified by its keys, and what
// happens while those are fetched.
#include <cjose/cjose.h>
#include <doctest/doctest.h>

#include "app/grant.h"
#include "app/jwt.h"
#include "app/jwt_keys.h"
#include "app/oauth_options.h"
#include "app/token_issuer.h"

using namespace mahavishnu;
using namespace mahavishnu::app;
using base::ErrorCode;
using base::Millis;
using base::WallTime;
using rpc::Json;
using tools::Scope;

namespace {

constexpr WallTime kNoon{Millis(1800000000000)};
constexpr std::int64_t kNoonSeconds = 1800000000;
const std::vector<std::string> kAllowed{"RS256", "ES256"};

std::string encoded(const std::string& text) {
  char* out = nullptr;
  std::size_t size = 0;
  cjose_err error{};
  REQUIRE(cjose_base64url_encode(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(),
                                 &out, &size, &error));
  std::string result(out, size);
  cjose_get_dealloc()(out);
  return result;
}

// With a signature that is none.
std::string unsigned_token(const std::string& header, const std::string& claims = "{}") {
  return encoded(header) + "." + encoded(claims) + ".c2ln";
}

std::string why(const std::string& token) {
  const auto read = parse_jwt(token, kAllowed);
  return read ? "taken" : read.error().message;
}

struct SigningKey {
  explicit SigningKey(std::string kid) : id(std::move(kid)) {
    cjose_err error{};
    key = cjose_jwk_create_EC_random(CJOSE_JWK_EC_P_256, &error);
    REQUIRE(key != nullptr);
  }
  ~SigningKey() { cjose_jwk_release(key); }
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;

  Json jwk() const {
    cjose_err error{};
    char* text = cjose_jwk_to_json(key, false, &error);
    Json json = Json::parse(text);
    cjose_get_dealloc()(text);
    json["kid"] = id;
    return json;
  }
  std::string sign(const Json& claims) const {
    cjose_err error{};
    cjose_header_t* header = cjose_header_new(&error);
    cjose_header_set(header, "alg", "ES256", &error);
    if (!id.empty()) cjose_header_set(header, "kid", id.c_str(), &error);
    const std::string text = claims.dump();
    cjose_jws_t* jws = cjose_jws_sign(
        key, header, reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), &error);
    REQUIRE(jws != nullptr);
    const char* compact = nullptr;
    REQUIRE(cjose_jws_export(jws, &compact, &error));
    std::string token(compact);
    cjose_jws_release(jws);
    cjose_header_release(header);
    return token;
  }

  std::string id;
  cjose_jwk_t* key;
};

std::string set_of(const std::vector<const SigningKey*>& keys) {
  Json list = Json::array();
  for (const auto* key : keys) list.push_back(key->jwk());
  return Json{{"keys", list}}.dump();
}

GrantRules rules() {
  GrantRules rules;
  rules.issuer = "https://issuer.example";
  rules.audiences = {"https://tools.example/mcp"};
  rules.scopes = {{"read", Scope::Read}, {"run", Scope::Run}, {"admin", Scope::Admin}};
  return rules;
}

Json claims(const std::string& subject = "alice", const std::string& scope = "run") {
  return {{"iss", "https://issuer.example"},
          {"aud", "https://tools.example/mcp"},
          {"sub", subject},
          {"scope", scope},
          {"exp", kNoonSeconds + 600}};
}

// An issuer whose fetches end when the test says so.
struct FakeSource final : outbound::KeySource {
  base::Result<std::string> fetch() override { return answer; }
  void cut() override { is_cut = true; }
  base::Result<std::string> answer = base::fail(ErrorCode::Unavailable, "down");
  bool is_cut = false;
};

struct Court {
  Court()
      : access({}, {}, {[this] { return wall; }, [this] { return mono; }}),
        issuer(io.get_executor(), options(), source, access,
               [this](std::function<void()> work) { fetches.push_back(std::move(work)); },
               {[this] { return wall; }, [this] { return mono; }}) {
    issuer.start();
  }
  ~Court() {
    asio::co_spawn(io, issuer.stop(), [](std::exception_ptr) {});
    poll();
  }
  static TokenIssuer::Options options() {
    TokenIssuer::Options options;
    options.rules = rules();
    options.algorithms = kAllowed;
    return options;
  }
  void poll() {
    io.restart();
    io.poll();
  }
  // Lets the fetch that is under way bring this.
  void bring(base::Result<std::string> keys) {
    REQUIRE(fetches.size() == 1);
    source.answer = std::move(keys);
    std::exchange(fetches, {}).front()();
    poll();
  }
  std::string who(const std::string& token) {
    const auto caller = issuer.who(token);
    return caller ? *caller : std::string(base::to_string(caller.error().code));
  }

  asio::io_context io;
  WallTime wall = kNoon;
  base::MonoTime mono{std::chrono::hours(1)};
  FakeSource source;
  std::vector<std::function<void()>> fetches;
  Access access;
  TokenIssuer issuer;
};

TokenIssuer::Options options() {
  TokenIssuer::Options options = Court::options();
  options.resource = "https://tools.example:8443/team/mcp";
  return options;
}

}  // namespace

TEST_SUITE("jwt") {
  TEST_CASE("Base64url has one way to be written") {
    CHECK(decode_base64url("") == "");
    CHECK(decode_base64url("_-8") == "\xFF\xEF");
    for (const char* bad : {"A", "AB", "/+8", "_-8=", "_ 8", "_-9", "AAAAA"}) {
      CHECK_MESSAGE(!decode_base64url(bad), bad);
    }
  }

  TEST_CASE("what is read is its algorithm, its key and its claims") {
    const auto jwt = parse_jwt(
        unsigned_token(R"({"alg":"RS256","kid":"k","typ":"AT+jwt"})", R"({"a":1})"), kAllowed);
    REQUIRE(jwt);
    CHECK(jwt->algorithm == "RS256");
    CHECK(jwt->key_id == "k");
    CHECK(jwt->claims == Json{{"a", 1}});
  }

  TEST_CASE("only algorithms of the list, whatever the list says") {
    for (const char* name : {"none", "None", "HS256", "RS384", "rs256", "EdDSA", ""}) {
      const std::string token = unsigned_token(R"({"alg":")" + std::string(name) + "\"}");
      CHECK_MESSAGE(why(token).find("algorithm") != std::string::npos, name);
    }
    CHECK(!parse_jwt(unsigned_token(R"({"alg":"none"})"), {"none"}));
    CHECK(!parse_jwt(unsigned_token(R"({"alg":"HS256"})"), {"HS256"}));
    CHECK(why(unsigned_token("{}")).find("algorithm") != std::string::npos);
  }

  TEST_CASE("a header or claims that two readers could read otherwise are refused") {
    CHECK(why(unsigned_token(R"({"alg":"RS256"})")) == "taken");
    CHECK(why(unsigned_token(R"({"alg":"none","alg":"RS256"})")) != "taken");
    CHECK(why(unsigned_token(R"({"alg":"RS256"})", R"({"sub":"a","sub":"b"})")) != "taken");
    CHECK(why(unsigned_token(R"({"alg":"RS256","crit":[]})")) != "taken");
    CHECK(why(unsigned_token(R"({"alg":"RS256","b64":true})")) != "taken");
    CHECK(why(unsigned_token(R"({"alg":"RS256"})", "[]")) != "taken");
    CHECK(why(unsigned_token(R"({"alg":"RS256"} {})")) != "taken");
    CHECK(why(unsigned_token(R"({"alg":"RS256"})") + "=") != "taken");
    CHECK(why("." + unsigned_token(R"({"alg":"RS256"})")) != "taken");
  }

  TEST_CASE("8192 characters are the most") {
    const auto sized = [](std::size_t size) {
      std::string token = unsigned_token(R"({"alg":"RS256"})");
      token.resize(token.size() - 4);
      return token + std::string(size - token.size(), 'A');
    };
    CHECK(why(sized(8192)).find("longer") == std::string::npos);
    CHECK(why(sized(8193)).find("longer") != std::string::npos);
  }
}

TEST_SUITE("grant") {
  TEST_CASE("good claims are a subject with a scope until they expire, leeway included") {
    const auto grant = grant_of(claims(), rules(), kNoon);
    REQUIRE(grant);
    CHECK(grant->subject == "alice");
    CHECK(grant->scope == Scope::Run);
    CHECK(grant->bounds.none());
    CHECK(grant->expires == kNoon + Millis(660000));
  }

  TEST_CASE("times hold to the millisecond, with the leeway on either side") {
    const auto at = [](const char* name, double second) {
      Json json = claims();
      json[name] = second;
      return grant_of(json, rules(), kNoon).has_value();
    };
    const double noon = kNoonSeconds;
    CHECK(at("exp", noon - 59.5));
    CHECK_FALSE(at("exp", noon - 60));
    for (const char* name : {"nbf", "iat"}) {
      CHECK(at(name, noon + 60));
      CHECK_FALSE(at(name, noon + 60.5));
    }
  }

  TEST_CASE("an audience is ours to the letter, alone or among others") {
    const auto ours = [](Json audience) {
      Json json = claims();
      json["aud"] = std::move(audience);
      return grant_of(json, rules(), kNoon).has_value();
    };
    CHECK(ours(Json::array({"x", "https://tools.example/mcp"})));
    for (const Json& bad : {Json("https://tools.example/mcp/"), Json("x"), Json(nullptr), Json(1),
                            Json::array(), Json::array({"https://tools.example/mcp", 1}),
                            Json{{"aud", "https://tools.example/mcp"}}}) {
      CHECK_MESSAGE(!ours(bad), bad.dump());
    }
  }

  TEST_CASE("the widest scope holds, and none that is known is a refusal of its own") {
    const auto scope = [](const char* name, Json value) {
      Json json = claims();
      json.erase("scope");
      json[name] = std::move(value);
      const auto grant = grant_of(json, rules(), kNoon);
      return grant ? std::string(to_string(grant->scope))
                   : std::string(base::to_string(grant.error().code));
    };
    CHECK(scope("scope", "openid read  admin") == "admin");
    CHECK(scope("scp", Json::array({"read"})) == "read");
    CHECK(scope("scope", "reader administrator") == "Denied");
    CHECK(scope("scope", 7) == "Denied");
    CHECK(scope("roles", "admin") == "Denied");
  }

  TEST_CASE("a claim that binds must be there, and who is bound is no administrator") {
    GrantRules bound = rules();
    bound.pools_claim = "pools";
    Json json = claims("alice", "admin");
    CHECK(grant_of(json, bound, kNoon).error().code == ErrorCode::Unauthenticated);
    json["pools"] = "b a";
    const auto grant = grant_of(json, bound, kNoon);
    REQUIRE(grant);
    CHECK(grant->bounds.pools == std::vector<std::string>{"a", "b"});
    CHECK(grant->scope == Scope::Run);
    json["pools"] = "";
    CHECK(!grant_of(json, bound, kNoon));
  }
}

TEST_SUITE("jwt keys") {
  TEST_CASE("a key verifies what it signed and nothing else") {
    const SigningKey key("k");
    const SigningKey other("k");
    const auto keys = JwtKeys::parse(set_of({&key})).value();
    const auto verdict = [&](const std::string& token) {
      const auto good = keys->verify(token, parse_jwt(token, kAllowed).value());
      return good ? "good" : std::string(base::to_string(good.error().code));
    };
    const std::string token = key.sign(claims());
    CHECK(verdict(token) == "good");
    CHECK(verdict(other.sign(claims())) == "Unauthenticated");
    const auto middle = token.find('.') + 1;
    const std::string tail = token.substr(token.rfind('.'));
    CHECK(verdict(token.substr(0, middle) + encoded(claims("eve").dump()) + tail) ==
          "Unauthenticated");
    CHECK(verdict(unsigned_token(R"({"alg":"RS256","kid":"k"})")) == "NotFound");
    CHECK(verdict(unsigned_token(R"({"alg":"ES256","kid":"j"})")) == "NotFound");
  }

  TEST_CASE("without a key id there must be one key only") {
    const SigningKey key("");
    const SigningKey second("k");
    const std::string token = key.sign(claims());
    const auto jwt = parse_jwt(token, kAllowed).value();
    CHECK(JwtKeys::parse(set_of({&key})).value()->verify(token, jwt));
    const auto both = JwtKeys::parse(set_of({&key, &second})).value();
    CHECK(both->verify(token, jwt).error().code == ErrorCode::NotFound);
  }

  TEST_CASE("keys of other uses, kinds and lengths are left out") {
    const SigningKey key("k");
    const auto size = [](const Json& entry) {
      const auto keys = JwtKeys::parse(Json{{"keys", {entry}}}.dump());
      return keys ? (*keys)->size() : 0;
    };
    Json json = key.jwk();
    CHECK(size(json) == 1);
    json["use"] = "enc";
    CHECK(size(json) == 0);
    json["use"] = "sig";
    json["key_ops"] = {"sign"};
    CHECK(size(json) == 0);
    CHECK(size({{"kty", "oct"}, {"k", "c2VjcmV0"}}) == 0);
    CHECK(size({{"kty", "RSA"}, {"n", std::string(170, 'z')}, {"e", "AQAB"}}) == 0);
    CHECK(size({{"kty", "EC"}, {"crv", "P-256"}, {"x", "AAAA"}, {"y", "AAAA"}}) == 0);
    CHECK(size("text") == 0);
    CHECK(!JwtKeys::parse("[]"));
    CHECK(!JwtKeys::parse(R"({"keys":[)" + std::string(300000, ' ') + "]}"));
  }
}

TEST_SUITE("token issuer") {
  TEST_CASE("before its keys are there a token is to be tried again, and one fetch serves all") {
    Court court;
    const SigningKey key("k");
    const std::string token = key.sign(claims());
    CHECK(court.who(token) == "Unavailable");
    CHECK(court.who(token) == "Unavailable");
    court.bring(set_of({&key}));
    CHECK(court.who(token) == "oauth:run:alice");
    CHECK(court.issuer.status().fetches == 1);
    CHECK(court.access.permit("oauth:run:alice"));
  }

  TEST_CASE("a key that is not known is looked for once in a pause") {
    Court court;
    const SigningKey key("k");
    const SigningKey fresh("fresh");
    court.bring(set_of({&key}));
    CHECK(court.who(fresh.sign(claims())) == "Unauthenticated");
    court.mono += Millis(10000);
    CHECK(court.who(fresh.sign(claims())) == "Unavailable");
    CHECK(court.who(key.sign(claims())) == "oauth:run:alice");  // nobody else waits
    court.bring(set_of({&key, &fresh}));
    CHECK(court.who(fresh.sign(claims())) == "oauth:run:alice");
    CHECK(court.who(SigningKey("none").sign(claims())) == "Unauthenticated");
    CHECK(court.issuer.status().fetches == 2);
  }

  TEST_CASE("a token issued after the keys were fetched may have a younger key: it waits for it") {
    Court court;
    const SigningKey key("k");
    const SigningKey fresh("fresh");
    court.bring(set_of({&key}));
    Json json = claims();
    json["iat"] = kNoonSeconds - 4;
    const auto late = court.issuer.who(fresh.sign(json));
    CHECK(late.error().code == ErrorCode::Unavailable);
    CHECK(late.error().retry_after_ms == 10000);
    json["iat"] = kNoonSeconds - 6;
    CHECK(court.who(fresh.sign(json)) == "Unauthenticated");
    CHECK(court.issuer.status().fetches == 1);
  }

  TEST_CASE("keys stay in force while the issuer is down") {
    Court court;
    const SigningKey key("k");
    court.bring(set_of({&key}));
    court.mono += Millis(10000);
    CHECK(court.who(SigningKey("x").sign(claims())) == "Unavailable");
    court.bring(base::fail(ErrorCode::Unavailable, "down"));
    CHECK(court.issuer.status().problem == "down");
    CHECK(court.who(key.sign(claims("bob"))) == "oauth:run:bob");
  }

  TEST_CASE("a verdict ends with its token, and with its key") {
    Court court;
    const SigningKey key("k");
    const SigningKey next("next");
    court.bring(set_of({&key}));
    const std::string token = key.sign(claims());
    CHECK(court.who(token) == "oauth:run:alice");
    CHECK(court.who(token) == "oauth:run:alice");
    CHECK(court.issuer.verdicts().hits == 1);
    const auto permit = court.access.permit("oauth:run:alice");
    court.mono += Millis(10000);
    CHECK(court.who(next.sign(claims())) == "Unavailable");
    court.bring(set_of({&next}));
    CHECK(court.who(token) == "Unauthenticated");
    CHECK_FALSE(permit->in_force());
    const std::string other = next.sign(claims());
    CHECK(court.who(other) == "oauth:run:alice");
    court.wall += Millis(660000);
    CHECK(court.who(other) == "Unauthenticated");
    CHECK_FALSE(court.access.permit("oauth:run:alice"));
  }

  TEST_CASE("equal callers have equal rights") {
    Court court;
    const SigningKey key("k");
    court.bring(set_of({&key}));
    CHECK(court.who(key.sign(claims("alice", "read"))) == "oauth:read:alice");
    CHECK(court.who(key.sign(claims("alice", "admin"))) == "oauth:admin:alice");
    CHECK(court.who(key.sign(claims("read:alice", "run"))) == "oauth:run:read:alice");
  }

  TEST_CASE("what only its holder may know is not told of a forged one") {
    Court court;
    const SigningKey key("k");
    court.bring(set_of({&key}));
    CHECK(court.who(key.sign(claims("alice", "nothing"))) == "Denied");
    CHECK(court.who(SigningKey("k").sign(claims("alice", "nothing"))) == "Unauthenticated");
  }

  TEST_CASE("the end cuts a fetch, and what it brings is not looked at") {
    auto court = std::make_unique<Court>();
    auto fetch = court->fetches.front();
    asio::co_spawn(court->io, court->issuer.stop(), [](std::exception_ptr) {});
    court->poll();
    CHECK(court->source.is_cut);
    fetch();
    court->poll();
    CHECK(court->issuer.status().problem.empty());
  }
}

TEST_SUITE("oauth options") {
  TEST_CASE("metadata is at the well-known path in front of the resource's own") {
    CHECK(resource_metadata_url(options()) ==
          "https://tools.example:8443/.well-known/oauth-protected-resource/team/mcp");
    const std::string root(kResourceMetadata);
    for (const char* path : {"", "/", "/mcp", "/mcp/readonly", "/team/mcp"}) {
      CHECK_MESSAGE(is_resource_metadata(root + path, options()), path);
    }
    for (const char* path : {"/team", "/other", "x", "/team/mcp/x"}) {
      CHECK_MESSAGE(!is_resource_metadata(root + path, options()), path);
    }
  }

  TEST_CASE("a challenge names the narrowest scope that is enough") {
    auto with = options();
    with.rules.scopes = {{"all", Scope::Admin}, {"use", Scope::Run}};
    const auto challenges = scope_challenges(with);
    CHECK(challenges[0].find("scope=\"use\"") != std::string::npos);
    CHECK(challenges[1].find("scope=\"use\"") != std::string::npos);
    CHECK(challenges[2].find("scope=\"all\"") != std::string::npos);
    CHECK(challenge_parameters(with).ends_with("scope=\"use\""));
    with.rules.scopes = {{"use", Scope::Run}};
    CHECK(scope_challenges(with)[2].empty());
  }
}
