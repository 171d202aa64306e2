#include "app/token_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstring>

#include "app/secrets.h"
#include "base/sha256.h"
#include "domain/pool_settings.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using rpc::Json;
using tools::Scope;

constexpr std::size_t kLongestFile = 1U << 20U;
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kMostBounds = 1000;
constexpr int kVersion = 1;
constexpr std::array<std::string_view, 3> kScopes{"read", "run", "admin"};
// Who comes by other ways: with the first token, without one, on stdio, over the socket.
constexpr std::array<std::string_view, 3> kTaken{"token", "local", "stdio"};

// Reads one token's entry; the first thing that is wrong with it stays.
class Entry {
 public:
  Entry(const Json& entry, std::string place) : entry_(entry), place_(std::move(place)) {}

  std::string text(const char* key) {
    const Json* value = member(key);
    if (value == nullptr || !value->is_string()) return wrong(key, "a text"), std::string();
    return value->get<std::string>();
  }

  std::optional<base::WallTime> time(const char* key, bool needed) {
    if (!needed && !entry_.contains(key)) return std::nullopt;
    auto parsed = base::parse_rfc3339(text(key));
    if (parsed) return *parsed;
    wrong(key, "a time such as 2027-01-31T12:00:00Z");
    return std::nullopt;
  }

  std::vector<std::string> list(const char* key, bool needed = false) {
    std::vector<std::string> items;
    const Json* value = member(key, needed);
    if (value == nullptr) return items;
    if (!value->is_array() || value->size() > kMostBounds || (needed && value->empty())) {
      return wrong(key, "a list of at most 1000 texts"), items;
    }
    for (const Json& item : *value) {
      if (!item.is_string()) return wrong(key, "a list of texts"), items;
      items.push_back(item.get<std::string>());
    }
    return items;
  }

  void wrong(const std::string& key, const std::string& expected) {
    if (problem_.empty()) problem_ = place_ + ": " + key + ": expected " + expected;
  }
  void refuse(const std::string& why) {
    if (problem_.empty()) problem_ = place_ + ": " + why;
  }

  Status finish() {
    for (const auto& member : entry_.items()) {
      if (std::find(seen_.begin(), seen_.end(), member.key()) == seen_.end()) {
        refuse("unknown key " + member.key() + "; did a newer version write it?");
      }
    }
    if (problem_.empty()) return {};
    return fail(ErrorCode::InvalidArgument, problem_);
  }

 private:
  const Json* member(const char* key, bool needed = true) {
    seen_.emplace_back(key);
    const auto found = entry_.find(key);
    if (found != entry_.end()) return &*found;
    if (needed) refuse(std::string(key) + " is missing");
    return nullptr;
  }

  const Json& entry_;
  std::string place_;
  std::string problem_;
  std::vector<std::string> seen_;
};

bool is_digest(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status check_bounds(const NamedToken& token) {
  if (token.scope != Scope::Admin || token.bounds.none()) return {};
  return fail(ErrorCode::InvalidArgument,
              "scope admin changes what all share, so it cannot be bound to pools, repositories or "
              "tags; leave one of the two out");
}

Result<NamedToken> read_token_entry(const Json& json, const std::string& place) {
  if (!json.is_object()) {
    return fail(ErrorCode::InvalidArgument, place + ": expected an object");
  }
  Entry entry(json, place);
  NamedToken token;
  token.name = entry.text("name");
  token.digest = entry.text("sha256");
  token.created = entry.time("created", true).value_or(base::WallTime{});
  if (json.contains("expires")) token.expires = entry.time("expires", false);
  auto scope = parse_scopes(entry.list("scopes", true));
  if (scope) token.scope = *scope;
  token.bounds.pools = entry.list("pools");
  token.bounds.repositories = entry.list("repositories");
  token.bounds.tags = entry.list("tags");
  if (auto named = check_token_name(token.name); !named) entry.refuse(named.error().message);
  if (!is_digest(token.digest)) entry.wrong("sha256", "64 hex digits in lower case");
  if (!scope) entry.refuse(scope.error().message);
  if (auto bound = check_bounds(token); !bound) entry.refuse(bound.error().message);
  if (auto good = entry.finish(); !good) return fail(good.error());
  return token;
}

Result<std::vector<NamedToken>> parse_tokens(const std::string& text) {
  auto parsed = rpc::parse(text);
  if (!parsed) return fail(parsed.error());
  const bool shaped = parsed->is_object() && parsed->size() == 2 && parsed->contains("version") &&
                      parsed->contains("tokens") && (*parsed)["tokens"].is_array();
  if (!shaped || (*parsed)["version"] != kVersion) {
    return fail(ErrorCode::InvalidArgument,
                "expected {\"version\": 1, \"tokens\": […]}; did a newer version write it?");
  }
  const Json& entries = (*parsed)["tokens"];
  if (entries.size() > kMostTokens) {
    return fail(ErrorCode::InvalidArgument, "more than " + std::to_string(kMostTokens) + " tokens");
  }
  std::vector<NamedToken> tokens;
  for (const Json& json : entries) {
    auto token = read_token_entry(json, "tokens[" + std::to_string(tokens.size()) + "]");
    if (!token) return fail(token.error());
    for (const NamedToken& other : tokens) {
      if (other.name == token->name || other.digest == token->digest) {
        return fail(ErrorCode::InvalidArgument,
                    "two tokens are named " + other.name + ", or " + token->name + " is the same");
      }
    }
    tokens.push_back(std::move(*token));
  }
  return tokens;
}

std::string written(const std::vector<NamedToken>& tokens) {
  Json all = Json::array();
  for (const NamedToken& token : tokens) {
    Json scopes = Json::array();
    for (std::size_t i = 0; i <= static_cast<std::size_t>(token.scope); ++i) {
      scopes.push_back(std::string(kScopes[i]));
    }
    Json entry{{"name", token.name},
               {"sha256", token.digest},
               {"created", base::to_rfc3339(token.created)},
               {"scopes", std::move(scopes)}};
    if (token.expires) entry["expires"] = base::to_rfc3339(*token.expires);
    if (!token.bounds.pools.empty()) entry["pools"] = token.bounds.pools;
    if (!token.bounds.repositories.empty()) entry["repositories"] = token.bounds.repositories;
    if (!token.bounds.tags.empty()) entry["tags"] = token.bounds.tags;
    all.push_back(std::move(entry));
  }
  return Json{{"version", kVersion}, {"tokens", std::move(all)}}.dump(2) + "\n";
}

// Held by one of all who change the file; the kernel lets go of it with its holder.
class ChangeLock {
 public:
  explicit ChangeLock(const std::string& file)
      : lock_(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
    held_ = lock_ >= 0 && ::flock(lock_, LOCK_EX) == 0;
  }
  ~ChangeLock() {
    if (lock_ >= 0) ::close(lock_);
  }
  ChangeLock(const ChangeLock&) = delete;
  ChangeLock& operator=(const ChangeLock&) = delete;
  bool held() const { return held_; }

 private:
  int lock_;
  bool held_ = false;
};

}  // namespace

bool NamedToken::operator==(const NamedToken& other) const {
  return name == other.name && digest == other.digest && created == other.created &&
         expires == other.expires && scope == other.scope && bounds.pools == other.bounds.pools &&
         bounds.repositories == other.bounds.repositories && bounds.tags == other.bounds.tags;
}

std::string tokens_file(const std::string& data) { return data + "/tokens.json"; }

Status check_token_name(const std::string& name) {
  const bool usable = !name.empty() && name.size() <= kLongestName &&
                      std::all_of(name.begin(), name.end(), [](unsigned char c) {
                        return std::isalnum(c) || c == '_' || c == '-' || c == '.';
                      });
  if (!usable) {
    return fail(ErrorCode::InvalidArgument, "a token's name is 1 to 64 of A-Z a-z 0-9 _ - .");
  }
  if (std::find(kTaken.begin(), kTaken.end(), name) == kTaken.end()) return {};
  return fail(ErrorCode::InvalidArgument,
              "the name " + name + " is taken: it stands for who comes by another way");
}

Result<Scope> parse_scopes(const std::vector<std::string>& words) {
  Scope widest = Scope::Read;
  for (const std::string& word : words) {
    const auto found = std::find(kScopes.begin(), kScopes.end(), word);
    if (found == kScopes.end()) {
      return fail(ErrorCode::InvalidArgument,
                  "there is no scope " + word + "; there are read, run and admin");
    }
    widest = std::max(widest, static_cast<Scope>(found - kScopes.begin()));
  }
  return widest;
}

std::string_view to_string(Scope scope) { return kScopes[static_cast<std::size_t>(scope)]; }

Result<std::vector<NamedToken>> read_tokens(const std::string& file) {
  auto text = read_private(file, "tokens file", kLongestFile);
  if (!text && text.error().code == ErrorCode::NotFound) return std::vector<NamedToken>{};
  if (!text) return fail(text.error());
  auto tokens = parse_tokens(*text);
  if (tokens) return tokens;
  return fail(tokens.error().code, "the tokens file " + file + ": " + tokens.error().message);
}

Status change_tokens(const std::string& file, const TokenChange& change) {
  const ChangeLock lock(file + ".lock");
  if (!lock.held()) {
    return fail(ErrorCode::Unavailable, "cannot lock " + file + ".lock: " + std::strerror(errno));
  }
  auto tokens = read_tokens(file);
  if (!tokens) return fail(tokens.error());
  if (auto changed = change(*tokens); !changed) return changed;
  return replace_private(file, written(*tokens));
}

Result<std::string> add_token(const std::string& file, NamedToken token) {
  if (auto named = check_token_name(token.name); !named) return fail(named.error());
  if (auto bound = check_bounds(token); !bound) return fail(bound.error());
  auto secret = make_token();
  if (!secret) return secret;
  std::string text = std::string(kTokenPrefix) + *secret;
  token.digest = base::sha256_hex(text);
  auto added = change_tokens(file, [&token](std::vector<NamedToken>& tokens) -> Status {
    for (const NamedToken& other : tokens) {
      if (other.name != token.name) continue;
      return fail(ErrorCode::Conflict, "there is a token " + token.name +
                                           " already; revoke it first, or choose another name");
    }
    if (tokens.size() >= kMostTokens) {
      return fail(ErrorCode::Exhausted, "there are " + std::to_string(kMostTokens) +
                                            " tokens, which is the most; revoke one first");
    }
    tokens.push_back(token);
    return {};
  });
  if (!added) return fail(added.error());
  return text;
}

Status remove_token(const std::string& file, const std::string& name) {
  return change_tokens(file, [&name](std::vector<NamedToken>& tokens) -> Status {
    if (std::erase_if(tokens, [&](const NamedToken& token) { return token.name == name; }) > 0) {
      return {};
    }
    std::vector<std::string> known;
    for (const NamedToken& token : tokens) known.push_back(token.name);
    return fail(ErrorCode::NotFound, "there is no token " + name +
                                         (known.empty() ? std::string("; there are none")
                                                        : "; there are " + domain::listed(known)));
  });
}

}  // namespace mahavishnu::app
