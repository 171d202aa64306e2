// The authorization server whose tokens are good here (OAuth 2.1, this server is the resource).
//
// A token is judged on the control thread, with what is at hand: its claims, and the issuer's keys
// as they were fetched last. The network is never asked for a request. Keys are fetched on another
// thread: at the start, when they are old, and once when a token names one that is not known, never
// more often than every `pause`, one fetch for all who would need it; meanwhile such a token, if it
// was issued lately, is answered "try again". Keys that are held stay in force while the issuer
// cannot be reached. A good token is remembered by its SHA-256 until it expires, for
// `keep_verdicts` at most; all of them are forgotten at once when a key is no longer listed. What a
// caller may do is part of his name, so that two tokens of one subject with other rights are two
// callers. Control thread only. Lifetime: stop() and await it before destruction; `source` and
// `access` outlive it, and so does what `aside` runs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/access.h"
#include "app/grant.h"
#include "app/jwt_keys.h"
#include "base/asio.h"
#include "base/cache.h"
#include "base/task_group.h"
#include "outbound/key_source.h"

namespace mahavishnu::app {

class TokenIssuer {
 public:
  struct Options {
    GrantRules rules;
    std::vector<std::string> algorithms;
    base::Millis keep_keys{600'000};      // then they are fetched again
    base::Millis pause{10'000};           // at least between two fetches
    base::Millis keep_verdicts{300'000};  // at most
    std::size_t max_verdicts = 10'000;
    std::string resource;  // of RFC 9728: the URL by which clients reach /mcp
  };
  struct Clocks {
    std::function<base::WallTime()> wall = base::wall_now;
    std::function<base::MonoTime()> mono = base::mono_now;
  };
  // Runs its argument on another thread.
  using Aside = std::function<void(std::function<void()>)>;

  TokenIssuer(asio::any_io_executor control, Options options, outbound::KeySource& source,
              Access& access, Aside aside);
  TokenIssuer(asio::any_io_executor control, Options options, outbound::KeySource& source,
              Access& access, Aside aside, Clocks clocks);
  ~TokenIssuer();

  // Begins to fetch keys, when the first door opens at which tokens come. Idempotent.
  void start();
  base::awaitable<void> stop();

  // The caller a token stands for, whom `access` knows from now on. Unauthenticated: it is not
  // good. Denied: it is, and has no scope known here. Unavailable: its key is being looked for.
  base::Result<std::string> who(std::string_view token);

  struct Status {
    std::size_t keys = 0;
    std::string problem;  // why the last fetch brought none; "": it did
    std::uint64_t fetches = 0;
  };
  const Status& status() const { return status_; }
  base::CacheStats verdicts() const { return verdicts_.stats(); }
  // Emptied by cache_invalidate, too.
  void list_caches(base::Caches& caches) { caches.add("oauth_tokens", verdicts_); }

 private:
  struct Verdict {
    Grant grant;
    std::string caller;
  };
  using Keys = base::Result<std::shared_ptr<const JwtKeys>>;

  base::Status check_signature(std::string_view token, const Jwt& jwt);
  bool issued_lately(const Jwt& jwt) const;
  bool may_fetch() const;
  void fetch();
  void arrived(Keys keys);
  base::awaitable<void> keep_fresh();

  asio::any_io_executor control_;
  const Options options_;
  const Clocks clocks_;
  outbound::KeySource& source_;
  Access& access_;
  Aside aside_;
  std::shared_ptr<const JwtKeys> keys_;
  base::Cache<std::string, Verdict> verdicts_;
  Status status_;
  bool started_ = false;
  bool fetching_ = false;
  unsigned failures_ = 0;      // one after another
  base::MonoTime fetched_at_;  // when the last fetch began
  base::WallTime fetched_wall_;
  base::MonoTime due_at_;  // when the next one is
  asio::steady_timer timer_;
  base::TaskGroup group_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace mahavishnu::app
