// Who may come in, and what each may do: the credentials in force.
//
// A caller is known by a name: that of a named token; "token", who has the first one; "local" and
// "stdio", who come without one, from this machine. These three may everything and are always
// there. So are guests, for whom another authority vouches until some time (token_issuer.h). What
// is decided here (scope, expiry, bounds, pace) is decided anew for every request from the table in
// force, so that nothing decided earlier has to be forgotten when it changes. Memory: a bucket for
// each credential and limited tool. Control thread only.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "app/grant.h"
#include "app/token_file.h"
#include "base/token_bucket.h"
#include "domain/bounds.h"
#include "mcp/permit.h"

namespace mahavishnu::app {

class Access {
 public:
  struct Limits {
    base::Rate requests;                                   // of each credential, over HTTP
    std::map<std::string, base::Rate, std::less<>> tools;  // of each credential, by tool
  };
  struct Clocks {
    std::function<base::WallTime()> wall = base::wall_now;
    std::function<base::MonoTime()> mono = base::mono_now;
  };
  // Told of every call of a tool, when it is decided whether it may be made. May be empty.
  using Decided = std::function<void(const std::string& caller, const mcp::Tool& tool,
                                     const mcp::Json& arguments, const base::Status& decision)>;

  explicit Access(Limits limits, Decided decided = {});
  Access(Limits limits, Decided decided, Clocks clocks);

  // InvalidArgument: a limit is of a tool that there is not.
  base::Status check_limits(const std::vector<std::string>& tools) const;

  // From now on these are the named tokens. One that is as it was keeps what it has used.
  void put_tokens(std::vector<NamedToken> tokens);
  std::size_t tokens() const { return by_digest_.size(); }

  // Whom a token of the table names; nullopt: nobody, or it has expired. How long it takes tells
  // nothing of a token but its hash, which cannot be chosen.
  std::optional<std::string> who(std::string_view token);
  // 0: it may ask now; else after how long.
  base::Millis pace(std::string_view caller);

  // Another authority vouches for `caller`, of whom there is one name for one set of rights; none
  // of them can be a token's. Known until then, or until guests are too many: those that end first
  // go first.
  void welcome(const std::string& caller, const Grant& grant);
  // None of them is known any more.
  void forget_guests();
  // What a guest is told who calls a tool beyond his scope: the value of WWW-Authenticate, by the
  // scope that it needs.
  using Challenges = std::array<std::string, 3>;
  void set_challenges(Challenges challenges);

  // Null: no such credential, or not any more.
  std::shared_ptr<mcp::Permit> permit(std::string_view caller) const;
  // Null: anywhere.
  domain::BoundsPtr bounds(std::string_view caller) const;

  // When a named token came in last in this run of the server, by name.
  std::map<std::string, base::WallTime> used() const;

 private:
  struct Rules;
  class Credential;
  using CredentialPtr = std::shared_ptr<Credential>;

  // Null unless it is good now.
  CredentialPtr find(std::string_view caller) const;

  std::shared_ptr<const Rules> rules_;
  std::map<std::string, CredentialPtr, std::less<>> by_name_;
  std::unordered_map<std::string, CredentialPtr> by_digest_;  // named tokens only
  std::map<std::string, CredentialPtr, std::less<>> guests_;  // by name, no token has one of them
  std::shared_ptr<const Challenges> challenges_ = std::make_shared<const Challenges>();
  domain::BoundsPtr ended_;
};

// "TOOL=RATE" or "TOOL=RATE/BURST", RATE a number of calls a second such as 0.5.
base::Result<std::pair<std::string, base::Rate>> parse_tool_rate(std::string_view text);

}  // namespace mahavishnu::app
