// What is configured of the issuer whose tokens are good here (http.oauth.…), and what clients are
// told of it: the metadata of RFC 9728 and the challenges of RFC 6750. Pure; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "app/access.h"
#include "app/config.h"
#include "app/token_issuer.h"
#include "outbound/key_source.h"

namespace mahavishnu::app {

inline constexpr std::string_view kResourceMetadata = "/.well-known/oauth-protected-resource";

struct OAuthOptions {
  TokenIssuer::Options issuer;
  outbound::IssuerKeysOptions keys;
};

// nullopt: there is no issuer. InvalidArgument names the key, and what it may be.
base::Result<std::optional<OAuthOptions>> oauth_options(const Config& config);

// The document of RFC 9728, as JSON.
std::string resource_metadata(const TokenIssuer::Options& issuer);
// Where it is, as clients reach it: the well-known path in front of the resource's own.
std::string resource_metadata_url(const TokenIssuer::Options& issuer);
// Whether it is asked for: at the root, at the resource's path, or at one of the MCP endpoints'.
bool is_resource_metadata(std::string_view path, const TokenIssuer::Options& issuer);

// What every challenge says besides its error: where the document is, and the scopes for all but
// administration.
std::string challenge_parameters(const TokenIssuer::Options& issuer);
// WWW-Authenticate for who lacks a scope, by the scope that is needed.
Access::Challenges scope_challenges(const TokenIssuer::Options& issuer);

}  // namespace mahavishnu::app
