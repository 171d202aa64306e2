#include "app/oauth_options.h"

#include <algorithm>
#include <utility>

#include "app/jwt.h"
#include "app/url_view.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using tools::Scope;

constexpr base::Millis kConnect{3000};
constexpr base::Millis kTotal{10'000};
constexpr std::size_t kLongestAnswer = 512U << 10U;

tl::unexpected<base::Error> wrong(const char* key, const std::string& why) {
  return fail(ErrorCode::InvalidArgument, std::string(key) + ": " + why);
}

// What may stand between quotes in a header (RFC 6749, scope-token); URLs have nothing else.
bool is_quotable(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < '\x7F' && c != '"' && c != '\\';
  });
}

Status read_scopes(const std::vector<std::string>& entries, GrantRules& rules) {
  constexpr const char* kKey = "http.oauth.scopes";
  for (const std::string& entry : entries) {
    const auto equals = entry.rfind('=');
    if (equals == std::string::npos || !is_quotable(entry.substr(0, equals))) {
      return wrong(kKey, "\"" + entry + "\" is not SCOPE=read, SCOPE=run or SCOPE=admin");
    }
    const auto scope = parse_scopes({entry.substr(equals + 1)});
    if (!scope) return wrong(kKey, scope.error().message);
    rules.scopes.emplace_back(entry.substr(0, equals), *scope);
  }
  return rules.scopes.empty() ? wrong(kKey, "without a scope nobody may do anything") : Status{};
}

Status read_algorithms(const std::vector<std::string>& names,
                       std::vector<std::string>& algorithms) {
  constexpr const char* kKey = "http.oauth.algorithms";
  for (const std::string& name : names) {
    if (is_jwt_algorithm(name)) continue;
    return wrong(kKey, "\"" + name + "\" is none of RS256, PS256, ES256 and their 384 and 512");
  }
  algorithms = names;
  return names.empty() ? wrong(kKey, "at least one is needed") : Status{};
}

Status check_resource(const std::string& resource) {
  constexpr const char* kKey = "http.oauth.resource";
  if (resource.empty()) {
    return wrong(kKey,
                 "with http.oauth.issuer it must be the URL by which clients reach /mcp, such as "
                 "https://tools.example/mcp");
  }
  const auto origin = net::parse_origin(resource);
  if (!origin) return wrong(kKey, origin.error().message);
  return is_quotable(resource) ? Status{} : wrong(kKey, "it has characters that a URL has not");
}

std::string path_of(const std::string& resource) {
  const auto origin = net::parse_origin(resource);
  return origin ? origin->path : std::string();
}

}  // namespace

Result<std::optional<OAuthOptions>> oauth_options(const Config& config) {
  OAuthOptions options;
  GrantRules& rules = options.issuer.rules;
  rules.issuer = config.text("http.oauth.issuer");
  if (rules.issuer.empty()) return std::nullopt;
  options.issuer.resource = config.text("http.oauth.resource");
  if (auto good = check_resource(options.issuer.resource); !good) return fail(good.error());
  rules.audiences = config.list("http.oauth.audience");
  if (rules.audiences.empty()) rules.audiences = {options.issuer.resource};
  rules.leeway = config.duration("http.oauth.leeway");
  rules.pools_claim = config.text("http.oauth.pools_claim");
  rules.repositories_claim = config.text("http.oauth.repositories_claim");
  rules.tags_claim = config.text("http.oauth.tags_claim");
  if (auto read = read_scopes(config.list("http.oauth.scopes"), rules); !read) {
    return fail(read.error());
  }
  if (auto read = read_algorithms(config.list("http.oauth.algorithms"), options.issuer.algorithms);
      !read) {
    return fail(read.error());
  }
  options.issuer.keep_keys = config.duration("http.oauth.keep_keys");
  options.issuer.pause = config.duration("http.oauth.pause");
  options.keys.issuer = rules.issuer;
  options.keys.url = config.text("http.oauth.jwks_url");
  options.keys.http.ca_file = config.text("http.oauth.ca_file");
  options.keys.http.connect = kConnect;
  options.keys.http.total = options.keys.http.read = kTotal;
  options.keys.http.max_body = kLongestAnswer;
  return options;
}

std::string resource_metadata(const TokenIssuer::Options& issuer) {
  rpc::Json scopes = rpc::Json::array();
  for (const auto& [name, scope] : issuer.rules.scopes) scopes.push_back(name);
  return rpc::dump({{"resource", issuer.resource},
                    {"authorization_servers", {issuer.rules.issuer}},
                    {"bearer_methods_supported", {"header"}},
                    {"scopes_supported", std::move(scopes)},
                    {"resource_name", "Mahavishnu"}});
}

std::string resource_metadata_url(const TokenIssuer::Options& issuer) {
  const std::string& url = issuer.resource;
  const auto path = std::min(url.find('/', url.find("://") + 3), url.size());
  return url.substr(0, path) + std::string(kResourceMetadata) + path_of(url);
}

bool is_resource_metadata(std::string_view path, const TokenIssuer::Options& issuer) {
  if (!path.starts_with(kResourceMetadata)) return false;
  path.remove_prefix(kResourceMetadata.size());
  return path.empty() || path == "/" || is_mcp_path(path) || path == path_of(issuer.resource);
}

std::string challenge_parameters(const TokenIssuer::Options& issuer) {
  std::string scopes;
  for (const auto& [name, scope] : issuer.rules.scopes) {
    if (scope != Scope::Admin) scopes += (scopes.empty() ? "" : " ") + name;
  }
  std::string parameters = "resource_metadata=\"" + resource_metadata_url(issuer) + "\"";
  if (!scopes.empty()) parameters += ", scope=\"" + scopes + "\"";
  return parameters;
}

Access::Challenges scope_challenges(const TokenIssuer::Options& issuer) {
  Access::Challenges challenges;
  for (std::size_t i = 0; i < challenges.size(); ++i) {
    // The narrowest that is enough; of equal ones the first.
    const std::pair<std::string, Scope>* least = nullptr;
    for (const auto& known : issuer.rules.scopes) {
      if (static_cast<std::size_t>(known.second) < i) continue;
      if (least == nullptr || known.second < least->second) least = &known;
    }
    if (least == nullptr) continue;  // nobody can get it from this issuer
    challenges[i] = "Bearer error=\"insufficient_scope\", scope=\"" + least->first +
                    "\", resource_metadata=\"" + resource_metadata_url(issuer) + "\"";
  }
  return challenges;
}

}  // namespace mahavishnu::app
