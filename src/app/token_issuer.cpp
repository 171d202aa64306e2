#include "app/token_issuer.h"

#include <algorithm>
#include <utility>

#include "app/jwt.h"
#include "base/log.h"
#include "base/sha256.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Millis;
using base::MonoTime;
using base::Result;

constexpr long kSoon = 1000;  // ms: a fetch takes less, mostly
constexpr Millis kLongestPause{60'000};
// A key that was not listed so long after a token was signed with it is no key of the issuer's.
constexpr std::chrono::seconds kPublished{5};
constexpr unsigned kMostDoublings = 10;
constexpr std::size_t kBoundsDigits = 16;

// "oauth:run:alice"; with bounds "oauth:run.9f86d081884c7d65:alice". Equal names, equal rights: no
// subject can look like the rights in front of it.
std::string caller_of(const Grant& grant) {
  std::string name = "oauth:" + std::string(to_string(grant.scope));
  if (!grant.bounds.none()) {
    std::string all;
    for (const auto* list : {&grant.bounds.pools, &grant.bounds.repositories, &grant.bounds.tags}) {
      for (const std::string& one : *list) all += std::to_string(one.size()) + ":" + one;
      all += ';';
    }
    name += "." + base::sha256_hex(all).substr(0, kBoundsDigits);
  }
  return name + ":" + grant.subject;
}

}  // namespace

TokenIssuer::TokenIssuer(asio::any_io_executor control, Options options,
                         outbound::KeySource& source, Access& access, Aside aside)
    : TokenIssuer(std::move(control), std::move(options), source, access, std::move(aside),
                  Clocks{}) {}

TokenIssuer::TokenIssuer(asio::any_io_executor control, Options options,
                         outbound::KeySource& source, Access& access, Aside aside, Clocks clocks)
    : control_(control),
      options_(std::move(options)),
      clocks_(std::move(clocks)),
      source_(source),
      access_(access),
      aside_(std::move(aside)),
      verdicts_(
          {options_.max_verdicts, std::numeric_limits<std::size_t>::max(), options_.keep_verdicts},
          {}, clocks_.mono),
      timer_(control),
      group_(control, "token issuer") {}

TokenIssuer::~TokenIssuer() = default;

void TokenIssuer::start() {
  if (std::exchange(started_, true)) return;
  fetch();
  group_.spawn(keep_fresh());
}

base::awaitable<void> TokenIssuer::stop() {
  alive_.reset();
  source_.cut();
  group_.cancel();
  timer_.cancel();
  co_await group_.join();
}

Result<std::string> TokenIssuer::who(std::string_view token) {
  if (token.size() > kLongestJwt) {
    return fail(ErrorCode::Unauthenticated, "the token is longer than 8192 characters");
  }
  const std::string digest = base::sha256_hex(token);
  const auto now = clocks_.wall();
  if (const Verdict* known = verdicts_.find(digest); known && known->grant.expires > now) {
    access_.welcome(known->caller, known->grant);
    return known->caller;
  }
  auto jwt = parse_jwt(token, options_.algorithms);
  if (!jwt) return fail(std::move(jwt.error()));
  // What is wrong whoever signed it needs no key; what would be allowed is told only to its holder.
  auto grant = grant_of(jwt->claims, options_.rules, now);
  if (!grant && grant.error().code != ErrorCode::Denied) return fail(std::move(grant.error()));
  if (auto good = check_signature(token, *jwt); !good) return fail(std::move(good.error()));
  if (!grant) return fail(std::move(grant.error()));
  Verdict verdict{std::move(*grant), {}};
  verdict.caller = caller_of(verdict.grant);
  access_.welcome(verdict.caller, verdict.grant);
  std::string caller = verdict.caller;
  verdicts_.put(digest, std::move(verdict));
  return caller;
}

base::Status TokenIssuer::check_signature(std::string_view token, const Jwt& jwt) {
  auto verified = keys_ ? keys_->verify(token, jwt)
                        : fail(ErrorCode::NotFound, "the keys of its issuer are not known yet");
  if (verified || verified.error().code != ErrorCode::NotFound) return verified;
  if (!fetching_ && may_fetch()) fetch();
  if (fetching_ || !keys_ || issued_lately(jwt)) {
    const auto pause = std::chrono::ceil<Millis>(fetched_at_ + options_.pause - clocks_.mono());
    return fail(ErrorCode::Unavailable,
                "this token cannot be judged now: " + verified.error().message,
                fetching_ ? kSoon : std::max(kSoon, static_cast<long>(pause.count())));
  }
  return fail(ErrorCode::Unauthenticated, std::move(verified.error().message));
}

// With a key that may be younger than those held. Its word is good enough: it gets nothing by it.
bool TokenIssuer::issued_lately(const Jwt& jwt) const {
  const auto issued = jwt.claims.find("iat");
  if (issued == jwt.claims.end() || !issued->is_number()) return false;
  const std::chrono::duration<double> since(issued->get<double>());
  return since + kPublished > fetched_wall_.time_since_epoch();
}

bool TokenIssuer::may_fetch() const {
  return status_.fetches == 0 || clocks_.mono() - fetched_at_ >= options_.pause;
}

void TokenIssuer::fetch() {
  fetching_ = true;
  fetched_at_ = clocks_.mono();
  fetched_wall_ = clocks_.wall();
  ++status_.fetches;
  aside_([this, &source = source_, control = control_, alive = std::weak_ptr<char>(alive_)] {
    auto text = source.fetch();
    auto keys = text ? JwtKeys::parse(*text) : Keys(fail(text.error()));
    asio::post(control, [this, alive, keys = std::move(keys)]() mutable {
      if (!alive.expired()) arrived(std::move(keys));
    });
  });
}

void TokenIssuer::arrived(Keys keys) {
  fetching_ = false;
  if (keys) {
    failures_ = 0;
    if (keys_ && !(*keys)->has_all_of(*keys_)) {
      verdicts_.clear();
      access_.forget_guests();
    }
    if (!status_.problem.empty() || status_.keys != (*keys)->size()) {
      base::log()->info("oauth: {} keys of {} are in force", (*keys)->size(),
                        options_.rules.issuer);
    }
    keys_ = std::move(*keys);
    status_.keys = keys_->size();
    status_.problem.clear();
  } else {
    failures_ = std::min(failures_ + 1, kMostDoublings);
    if (status_.problem != keys.error().message) {
      status_.problem = std::move(keys.error().message);
      base::log()->warn("oauth: the {} keys held stay in force: {}", status_.keys, status_.problem);
    }
  }
  const Millis again = options_.pause * (1U << failures_) / 2;
  due_at_ =
      clocks_.mono() + (failures_ == 0 ? options_.keep_keys
                                       : std::max(options_.pause, std::min(again, kLongestPause)));
  timer_.cancel();
}

base::awaitable<void> TokenIssuer::keep_fresh() {
  while (!group_.cancelled()) {
    const MonoTime now = clocks_.mono();
    if (!fetching_ && now >= due_at_) fetch();
    timer_.expires_after(fetching_ ? MonoTime::duration(kLongestPause) : due_at_ - now);
    co_await timer_.async_wait(base::as_result);
  }
}

}  // namespace mahavishnu::app
