#include "app/access.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/sha256.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// A token of ours has 47 characters; what is much longer is not worth hashing.
constexpr std::size_t kLongestToken = 512;
constexpr std::size_t kMostGuests = 10'000;

std::optional<double> parse_number(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(number > 0) || number > 1e6) return std::nullopt;
  return number;
}

}  // namespace

struct Access::Rules {
  Limits limits;
  Decided decided;
  Clocks clocks;
};

class Access::Credential final : public mcp::Permit {
 public:
  Credential(std::shared_ptr<const Rules> rules, NamedToken token)
      : rules_(std::move(rules)), token_(std::move(token)), requests_(rules_->limits.requests) {
    if (!token_.bounds.none()) bounds_ = std::make_shared<const domain::Bounds>(token_.bounds);
  }

  // A guest's.
  Credential(std::shared_ptr<const Rules> rules, NamedToken token,
             std::shared_ptr<const Challenges> challenges)
      : Credential(std::move(rules), std::move(token)) {
    challenges_ = std::move(challenges);
  }

  const NamedToken& token() const { return token_; }
  void good_until(base::WallTime time) { token_.expires = std::max(*token_.expires, time); }
  const domain::BoundsPtr& bounds() const { return bounds_; }
  const std::optional<base::WallTime>& used() const { return used_; }
  void came(base::WallTime now) { used_ = now; }
  base::Millis pace() {
    if (rules_->limits.requests.per_second <= 0) return base::Millis(0);
    return requests_.take(rules_->clocks.mono());
  }

  void set_dropped(bool dropped) { dropped_ = dropped; }

  bool in_force() const override { return !dropped_ && !token_.expired(rules_->clocks.wall()); }
  bool shows(const mcp::Tool& tool) const override { return tools::scope_of(tool) <= token_.scope; }
  std::string_view list_class() const override { return to_string(token_.scope); }
  std::string challenge(const mcp::Tool& tool) const override {
    if (!challenges_ || shows(tool)) return {};
    return (*challenges_)[static_cast<std::size_t>(tools::scope_of(tool))];
  }
  Status admit(const mcp::Tool& tool, const mcp::Json& arguments) override {
    auto judged = judge(tool);
    if (rules_->decided) rules_->decided(token_.name, tool, arguments, judged);
    return judged;
  }

 private:
  Status judge(const mcp::Tool& tool) {
    if (!shows(tool)) {
      return fail(ErrorCode::Denied, "tool \"" + tool.name + "\" needs scope " +
                                         std::string(to_string(tools::scope_of(tool))) +
                                         "; the token " + token_.name + " has scope " +
                                         std::string(to_string(token_.scope)));
    }
    const auto limit = rules_->limits.tools.find(tool.name);
    if (limit == rules_->limits.tools.end()) return {};
    auto& bucket = tools_.try_emplace(tool.name, limit->second).first->second;
    const base::Millis wait = bucket.take(rules_->clocks.mono());
    if (wait.count() == 0) return {};
    return fail(ErrorCode::Exhausted, "too many calls of " + tool.name + " by " + token_.name,
                static_cast<int>(wait.count()));
  }

  std::shared_ptr<const Rules> rules_;
  NamedToken token_;
  bool dropped_ = false;  // from the table, and perhaps still held by a stream
  domain::BoundsPtr bounds_;
  base::TokenBucket requests_;
  std::map<std::string, base::TokenBucket, std::less<>> tools_;
  std::optional<base::WallTime> used_;
  std::shared_ptr<const Challenges> challenges_;  // of guests
};

Access::Access(Limits limits, Decided decided)
    : Access(std::move(limits), std::move(decided), Clocks{}) {}

Access::Access(Limits limits, Decided decided, Clocks clocks)
    : rules_(std::make_shared<const Rules>(
          Rules{std::move(limits), std::move(decided), std::move(clocks)})) {
  for (const char* name : {"token", "local", "stdio"}) {
    NamedToken all;
    all.name = name;
    all.scope = tools::Scope::Admin;
    by_name_.emplace(name, std::make_shared<Credential>(rules_, std::move(all)));
  }
  domain::Bounds nowhere;
  nowhere.ended = true;
  ended_ = std::make_shared<const domain::Bounds>(std::move(nowhere));
}

Status Access::check_limits(const std::vector<std::string>& tools) const {
  for (const auto& [name, rate] : rules_->limits.tools) {
    if (std::find(tools.begin(), tools.end(), name) != tools.end()) continue;
    const std::string near = domain::nearest(name, tools);
    return fail(ErrorCode::InvalidArgument,
                "there is no tool " + name +
                    (near.empty() ? std::string() : "; did you mean " + near + "?"));
  }
  return {};
}

void Access::put_tokens(std::vector<NamedToken> tokens) {
  const auto before = std::exchange(by_digest_, {});
  for (const auto& [digest, credential] : before) {
    by_name_.erase(credential->token().name);
    credential->set_dropped(true);
  }
  for (NamedToken& token : tokens) {
    const auto known = before.find(token.digest);
    auto credential = known != before.end() && known->second->token() == token
                          ? known->second
                          : std::make_shared<Credential>(rules_, token);
    credential->set_dropped(false);
    by_name_[token.name] = credential;
    by_digest_.emplace(std::move(token.digest), std::move(credential));
  }
}

std::optional<std::string> Access::who(std::string_view token) {
  if (by_digest_.empty() || token.size() > kLongestToken) return std::nullopt;
  const std::string digest = base::sha256_hex(token);
  const auto found = by_digest_.find(digest);
  if (found == by_digest_.end() ||
      CRYPTO_memcmp(found->first.data(), digest.data(), digest.size()) != 0) {
    return std::nullopt;
  }
  const base::WallTime now = rules_->clocks.wall();
  Credential& credential = *found->second;
  if (credential.token().expired(now)) return std::nullopt;
  credential.came(now);
  return credential.token().name;
}

void Access::welcome(const std::string& caller, const Grant& grant) {
  if (const auto known = guests_.find(caller); known != guests_.end()) {
    return known->second->good_until(grant.expires);
  }
  if (guests_.size() >= kMostGuests) {
    const base::WallTime now = rules_->clocks.wall();
    std::erase_if(guests_, [now](const auto& guest) { return guest.second->token().expired(now); });
  }
  if (guests_.size() >= kMostGuests) {
    const auto first =
        std::min_element(guests_.begin(), guests_.end(), [](const auto& a, const auto& b) {
          return *a.second->token().expires < *b.second->token().expires;
        });
    first->second->set_dropped(true);
    guests_.erase(first);
  }
  NamedToken token;
  token.name = caller;
  token.scope = grant.scope;
  token.bounds = grant.bounds;
  token.expires = grant.expires;
  guests_.emplace(caller, std::make_shared<Credential>(rules_, std::move(token), challenges_));
}

void Access::forget_guests() {
  for (const auto& [name, guest] : std::exchange(guests_, {})) guest->set_dropped(true);
}

void Access::set_challenges(Challenges challenges) {
  challenges_ = std::make_shared<const Challenges>(std::move(challenges));
}

Access::CredentialPtr Access::find(std::string_view caller) const {
  CredentialPtr known;
  if (const auto named = by_name_.find(caller); named != by_name_.end()) known = named->second;
  if (const auto guest = guests_.find(caller); guest != guests_.end()) known = guest->second;
  return known && known->in_force() ? known : nullptr;
}

base::Millis Access::pace(std::string_view caller) {
  const auto credential = find(caller);
  return credential ? credential->pace() : base::Millis(0);
}

std::shared_ptr<mcp::Permit> Access::permit(std::string_view caller) const { return find(caller); }

domain::BoundsPtr Access::bounds(std::string_view caller) const {
  const auto credential = find(caller);
  return credential ? credential->bounds() : ended_;
}

std::map<std::string, base::WallTime> Access::used() const {
  std::map<std::string, base::WallTime> times;
  for (const auto& [digest, credential] : by_digest_) {
    if (credential->used()) times.emplace(credential->token().name, *credential->used());
  }
  return times;
}

Result<std::pair<std::string, base::Rate>> parse_tool_rate(std::string_view text) {
  const auto equals = text.find('=');
  if (equals != std::string_view::npos && equals > 0) {
    std::string_view rest = text.substr(equals + 1);
    const auto slash = rest.find('/');
    const auto rate = parse_number(rest.substr(0, slash));
    const auto burst = slash == std::string_view::npos
                           ? std::optional<double>(rate ? std::max(1.0, *rate) : 1.0)
                           : parse_number(rest.substr(slash + 1));
    if (rate && burst)
      return std::pair(std::string(text.substr(0, equals)), base::Rate{*rate, *burst});
  }
  return fail(ErrorCode::InvalidArgument,
              "\"" + std::string(text) +
                  "\" is not TOOL=RATE or TOOL=RATE/BURST, in calls a second, such as "
                  "task_submit=5/20");
}

}  // namespace mahavishnu::app
