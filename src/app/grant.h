// What the claims of a token are good for here: who it is, what he may do, where and until when.
//
// Pure: it is told the time, and trusts that somebody checks the signature. Any thread.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "domain/bounds.h"
#include "rpc/json.h"
#include "tools/scope.h"

namespace mahavishnu::app {

struct GrantRules {
  std::string issuer;                  // `iss`, to the letter
  std::vector<std::string> audiences;  // one of them is `aud`, or in it
  base::Millis leeway{60000};          // by which its clock and ours may differ
  // The issuer's name of a scope, and what it allows; of several the widest holds.
  std::vector<std::pair<std::string, tools::Scope>> scopes;
  // Claims that list where work may run, as a list or as words; "": not bound by a claim. One that
  // is named here and not in the token refuses the token: nobody gets more for a claim less.
  std::string pools_claim, repositories_claim, tags_claim;
};

struct Grant {
  std::string subject;
  tools::Scope scope = tools::Scope::Read;
  domain::Bounds bounds;     // never with Admin, which cannot be bound
  base::WallTime expires{};  // leeway included
};

// Unauthenticated: it is not good here (another issuer or audience, too early, too late, a claim
// that is missing or of another type). Denied: it is, and has no scope that is known here.
base::Result<Grant> grant_of(const rpc::Json& claims, const GrantRules& rules, base::WallTime now);

}  // namespace mahavishnu::app
