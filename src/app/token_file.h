// The named tokens of a data directory: DATA/tokens.json, 0600, beside the first token's own file.
//
// A file and not a table of the journal, because tokens are made and revoked with and without a
// running server, and the journal has one writer. It is replaced as a whole, under a lock of its
// own, so that a reader sees one state and two writers lose nothing. Of a token it holds the
// SHA-256, never the text: 256 bits of randomness need no slow hash. Any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/bounds.h"
#include "tools/scope.h"

namespace mahavishnu::app {

struct NamedToken {
  std::string name;    // what its work is known by: the caller
  std::string digest;  // SHA-256 of its text, in hex
  base::WallTime created{};
  std::optional<base::WallTime> expires;
  tools::Scope scope = tools::Scope::Read;
  domain::Bounds bounds;

  bool expired(base::WallTime now) const { return expires && *expires <= now; }
  bool operator==(const NamedToken& other) const;
};

inline constexpr std::size_t kMostTokens = 1000;

// What every token begins with, so that it is known for one wherever it turns up.
inline constexpr std::string_view kTokenPrefix = "mhv_";

// DATA/tokens.json.
std::string tokens_file(const std::string& data);

// InvalidArgument: it cannot name a token; callers of other kinds have their names already.
base::Status check_token_name(const std::string& name);

// "read,run": one may do what the widest of them may. InvalidArgument names a scope that is none.
base::Result<tools::Scope> parse_scopes(const std::vector<std::string>& words);
std::string_view to_string(tools::Scope scope);

// No file is no token. Denied: others may read it, or we may not; says the way out.
// InvalidArgument: it is no such file, and where. What it does not know it refuses: it may be a
// limit that a newer program wrote.
base::Result<std::vector<NamedToken>> read_tokens(const std::string& file);

// Reads, lets `change` do its work and replaces the file, alone among all who do so. An error of
// `change` changes nothing.
using TokenChange = std::function<base::Status(std::vector<NamedToken>&)>;
base::Status change_tokens(const std::string& file, const TokenChange& change);

// Conflict: there is one of that name. Answers the token's text, which nobody can tell again.
base::Result<std::string> add_token(const std::string& file, NamedToken token);
// NotFound names those there are.
base::Status remove_token(const std::string& file, const std::string& name);

}  // namespace mahavishnu::app
