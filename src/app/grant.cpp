#include "app/grant.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Millis;
using base::Result;
using base::Status;
using base::WallTime;
using rpc::Json;
using tools::Scope;

constexpr double kLastSecond = 253402300799;  // of the year 9999
constexpr std::size_t kLongestSubject = 128;
constexpr std::size_t kMostBounds = 1000;

tl::unexpected<base::Error> refuse(std::string why) {
  return fail(ErrorCode::Unauthenticated, "the token " + std::move(why));
}

// Seconds since 1970, perhaps with a fraction. nullopt where it is absent or no such number.
std::optional<WallTime> time_of(const Json& claims, const char* name) {
  const auto found = claims.find(name);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds <= kLastSecond)) return std::nullopt;
  return WallTime(Millis(static_cast<std::int64_t>(std::floor(seconds * 1000))));
}

Status check_times(const Json& claims, Millis leeway, WallTime now, WallTime& expires) {
  const auto end = time_of(claims, "exp");
  if (!end) return refuse("has no time at which it expires");
  expires = *end + leeway;
  if (expires <= now) return refuse("has expired");
  for (const char* name : {"nbf", "iat"}) {
    if (!claims.contains(name)) continue;
    const auto begin = time_of(claims, name);
    if (!begin) return refuse(std::string("has a claim ") + name + " that is no time");
    if (*begin - leeway > now) return refuse("is not valid yet");
  }
  return {};
}

// A text is one audience, a list has several; anything else has none of ours.
bool is_for_us(const Json& claims, const std::vector<std::string>& audiences) {
  const auto known = [&](const Json& one) {
    return one.is_string() && std::find(audiences.begin(), audiences.end(),
                                        one.get_ref<const std::string&>()) != audiences.end();
  };
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  if (!found->is_array()) return known(*found);
  const bool texts =
      std::all_of(found->begin(), found->end(), [](const Json& one) { return one.is_string(); });
  return texts && std::any_of(found->begin(), found->end(), known);
}

// A list of texts, or one text of words. nullopt: absent, or neither.
std::optional<std::vector<std::string>> words_of(const Json& claims, const std::string& name) {
  const auto found = claims.find(name);
  std::vector<std::string> words;
  if (found == claims.end() || found->size() > kMostBounds) return std::nullopt;
  if (found->is_array()) {
    for (const Json& word : *found) {
      if (!word.is_string()) return std::nullopt;
      words.push_back(word.get<std::string>());
    }
    return words;
  }
  if (!found->is_string()) return std::nullopt;
  const auto& text = found->get_ref<const std::string&>();
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    if (end > at) words.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return words;
}

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= kLongestSubject &&
         std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

std::optional<Scope> scope_in(const Json& claims, const GrantRules& rules) {
  const char* claim = claims.contains("scope") ? "scope" : "scp";
  const auto given = words_of(claims, claim);
  std::optional<Scope> widest;
  for (const auto& [name, scope] : rules.scopes) {
    if (!given || std::find(given->begin(), given->end(), name) == given->end()) continue;
    widest = std::max(widest.value_or(Scope::Read), scope);
  }
  return widest;
}

// A claim that must be there, and that names something: no entry would mean no bound.
Status read_bound(const Json& claims, const std::string& claim, std::vector<std::string>& bound) {
  if (claim.empty()) return {};
  auto words = words_of(claims, claim);
  if (!words || words->empty()) return refuse("has no claim " + claim + " that names anything");
  std::sort(words->begin(), words->end());
  bound = std::move(*words);
  return {};
}

}  // namespace

Result<Grant> grant_of(const Json& claims, const GrantRules& rules, WallTime now) {
  Grant grant;
  const auto issuer = claims.find("iss");
  if (issuer == claims.end() || *issuer != rules.issuer) return refuse("is of another issuer");
  if (!is_for_us(claims, rules.audiences)) return refuse("is for another audience");
  if (auto timely = check_times(claims, rules.leeway, now, grant.expires); !timely) {
    return fail(timely.error());
  }
  const auto subject = claims.find("sub");
  if (subject == claims.end() || !subject->is_string()) return refuse("names no subject");
  grant.subject = subject->get<std::string>();
  if (!is_name(grant.subject)) return refuse("has a subject that cannot be a name");
  for (const auto& [claim, bound] :
       {std::pair(&rules.pools_claim, &grant.bounds.pools),
        std::pair(&rules.repositories_claim, &grant.bounds.repositories),
        std::pair(&rules.tags_claim, &grant.bounds.tags)}) {
    if (auto read = read_bound(claims, *claim, *bound); !read) return fail(read.error());
  }
  const auto scope = scope_in(claims, rules);
  if (!scope) {
    return fail(ErrorCode::Denied, "the token has no scope that allows anything here");
  }
  grant.scope = grant.bounds.none() ? *scope : std::min(*scope, Scope::Run);
  return grant;
}

}  // namespace mahavishnu::app
