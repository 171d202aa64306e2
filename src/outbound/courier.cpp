// The old way asks every pool every minute, sends all it finds one after another, and waits for
// each. Here a memory wakes the courier, pages are read ahead of the calls, and a call that ends
// starts the next: the connections are never idle while something waits, and never used when
// nothing does.
#include "outbound/courier.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "outbound/backoff.h"

namespace mahavishnu::outbound {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Millis;
using base::MonoTime;
using Kind = Verdict::Kind;
using Outcome = domain::OutboxOutcome;

constexpr Millis kSettleAgain{1000};
constexpr Millis kLookAgain{1000};
constexpr Millis kConnectAgain{200};
constexpr int kMostConnectPauses = 5;  // doublings
constexpr int kMostRepeats = 2;        // of an item in a session that has just been made
constexpr std::size_t kMostUnsettled = 1000;
constexpr std::size_t kReadyToRest = 10;  // calls; so many connections or fewer make no bursts
constexpr long kSearchAgainMs = 1000;

}  // namespace

SessionBuddy::Courier::Courier(asio::any_io_executor control, SessionBuddyOptions options,
                               std::unique_ptr<net::HttpClient> client, domain::Outbox& outbox,
                               std::shared_ptr<Fuse> fuse)
    : reply_(std::move(control)),
      options_(std::move(options)),
      outbox_(outbox),
      fuse_(std::move(fuse)),
      thread_([this] { pump(); }, [this] { return may_rest(); }),
      client_(std::move(client)),
      session_(thread_.io().get_executor(), *client_, options_.session),
      backlog_(options_.backlog),
      pacer_(options_.pace, options_.run_times),
      group_(thread_.io().get_executor(), "session buddy"),
      settle_(thread_.io()),
      window_(options_.http.connections) {}

// ── What others call ─────────────────────────────────────────────────────────────────────────────

void SessionBuddy::Courier::start() {
  outbox_.on_grew([this] { news(); });
  fuse_->on_reset([this] { asio::post(thread_.io(), [this] { pump(); }); });
  thread_.start();
  asio::post(thread_.io(), [this] { pump(); });  // what a former life has left
}

void SessionBuddy::Courier::stop() {
  reply_.close();
  outbox_.on_grew({});
  fuse_->on_reset({});
  asio::post(thread_.io(), [this] { stopping_ = true; });
  client_->stop();  // answers every call
  if (!thread_.started()) return;
  asio::post(thread_.io(), [this] { finish(); });
  thread_.join();
}

SessionBuddy::Figures SessionBuddy::Courier::figures() const {
  const std::lock_guard lock(mutex_);
  return figures_;
}

void SessionBuddy::Courier::sync(domain::SyncRequest request, Answer<domain::SyncStatus> answer) {
  asio::post(thread_.io(), [this, request, answer = std::move(answer)]() mutable {
    group_.spawn(look(request, std::move(answer)));
  });
}

void SessionBuddy::Courier::search(std::string words, int limit,
                                   Answer<std::vector<domain::RemoteHit>> answer) {
  asio::post(thread_.io(),
             [this, words = std::move(words), limit, answer = std::move(answer)]() mutable {
               group_.spawn(do_search(std::move(words), limit, std::move(answer)));
             });
}

// On the journal's thread: one post at a time, however many memories there are.
void SessionBuddy::Courier::news() {
  if (news_posted_.exchange(true)) return;
  asio::post(thread_.io(), [this] {
    news_posted_ = false;
    backlog_.grew();
    wake_at(base::mono_now() + options_.gather);
  });
}

// ── What is next ─────────────────────────────────────────────────────────────────────────────────

void SessionBuddy::Courier::wake_at(MonoTime when) {
  if (!stopping_) thread_.wake_at(when);
}

// Starts all the calls that may be started now, and sees to it that it is called again when there
// may be more.
void SessionBuddy::Courier::pump() {
  while (!stopping_) {
    const auto now = base::mono_now();
    if (backlog_.under_way() >= most_under_way()) break;
    if (!backlog_.has_next(now)) {
      if (backlog_.wants_page() && read_page()) continue;
      break;
    }
    if (outcomes_.size() >= kMostUnsettled) break;  // the disk takes none: its time comes first
    if (!session_.connected()) {
      connect();
      break;
    }
    if (awaited_ == 0 && now < send_again_) {
      wake_at(send_again_);
      break;
    }
    const auto pass = fuse_->ask();
    if (pass.verdict == domain::Breaker::Verdict::Refused) wake_at(fuse_->retry_at());
    if (!pass.allowed()) break;  // the end of the probe comes back here
    send_one(pass);
  }
  read_ahead();
  const auto due = backlog_.next_due();
  if (due && *due > base::mono_now()) wake_at(*due);
  look_again(false);
  if (stopping_) finish();
}

// While all goes well some calls lie ready in the client's queue, and as many as are under way when
// this thread is to rest: a connection that has its answer takes the next at once, and does not
// wait for it.
std::size_t SessionBuddy::Courier::most_under_way() const {
  if (window_ < options_.http.connections) return window_;
  return window_ + (window_ > kReadyToRest ? window_ : window_ / 4);
}

// Answers come in bursts, and this thread goes before the client's, which run in the idle class: to
// judge each answer as it comes is to take a core from those that read the others.
bool SessionBuddy::Courier::may_rest() const {
  const std::size_t enough = std::max(window_ / 2, kReadyToRest);
  return backlog_.under_way() > window_ + enough && !stopping_;
}

std::int64_t SessionBuddy::Courier::calls_at_once() const {
  return static_cast<std::int64_t>(std::min(backlog_.under_way(), options_.http.connections));
}

// The next page is read behind the answers that have come already, and not in their way.
void SessionBuddy::Courier::read_ahead() {
  if (stopping_ || !backlog_.wants_page() || base::mono_now() < read_again_) return;
  if (std::exchange(reading_ahead_, true)) return;
  asio::post(thread_.io(), [this] {
    reading_ahead_ = false;
    if (!stopping_ && backlog_.wants_page()) read_page();
    pump();
  });
}

// False: there is nothing to go on with for now.
bool SessionBuddy::Courier::read_page() {
  if (base::mono_now() < read_again_) return false;
  auto items = outbox_.next(backlog_.cursor(), options_.backlog.page);
  if (!items) {
    note(items.error().message);
    read_again_ = base::mono_now() + kReadAgain;
    wake_at(read_again_);
    return false;
  }
  backlog_.page(std::move(*items));
  return true;
}

void SessionBuddy::Courier::send_one(Fuse::Pass pass) {
  const auto now = base::mono_now();
  auto next = backlog_.take(now);
  if (!next.item) {
    auto found = outbox_.find(next.seq);
    if (!found || !*found) {
      fuse_->dropped(pass);
      if (found) return backlog_.gone(next.seq);
      note(found.error().message);
      return backlog_.again(next.seq, now + kReadAgain);
    }
    next.item = std::move(*found);
  }
  {
    const std::lock_guard lock(mutex_);
    ++figures_.sent;
  }
  pace(now);
  group_.spawn(deliver(std::move(next), pass));
}

// Work goes first: while it fills the cores a page is sent now and then.
void SessionBuddy::Courier::pace(MonoTime now) {
  const Millis pause = pacer_.sent(now);
  if (pause.count() == 0 || awaited_ > 0) return;
  send_again_ = now + pause;
  const std::lock_guard lock(mutex_);
  ++figures_.pauses;
}

// ── Calls ────────────────────────────────────────────────────────────────────────────────────────

void SessionBuddy::Courier::connect() {
  if (connecting_) return;
  if (base::mono_now() < retry_connect_) return wake_at(retry_connect_);
  const auto pass = fuse_->ask();
  if (pass.verdict == domain::Breaker::Verdict::Refused) wake_at(fuse_->retry_at());
  if (!pass.allowed()) return;
  connecting_ = true;
  // The other connections are made while the first one shakes hands; not behind an outage.
  look_again(true);
  const auto wanted = static_cast<std::size_t>(std::max<std::int64_t>(figures().outbox, 1));
  if (!was_open_) client_->warm(std::min(wanted, options_.http.connections));
  group_.spawn(do_connect(pass));
}

awaitable<void> SessionBuddy::Courier::do_connect(Fuse::Pass pass) {
  const Verdict verdict = co_await session_.connect();
  connecting_ = false;
  if (verdict.kind == Kind::Accepted || verdict.kind == Kind::Cancelled) {
    // That it speaks does not say that it works: the next call does.
    fuse_->dropped(pass);
    connects_failed_ = 0;
    if (verdict.kind == Kind::Accepted) {
      base::log()->info("session buddy at {}: {}", client_->origin().str(), session_.spoken());
    }
  } else {
    failed(pass, verdict.error);
    const int doublings = std::min(connects_failed_++, kMostConnectPauses);
    const double pause = static_cast<double>(kConnectAgain.count() << doublings) * (1 + dice()) / 2;
    retry_connect_ = base::mono_now() + Millis(static_cast<std::int64_t>(pause));
  }
  changed();
  pump();
}

awaitable<void> SessionBuddy::Courier::deliver(Backlog::Next next, Fuse::Pass pass) {
  const std::int64_t seq = next.seq;
  const auto began = session_.conversation();
  const Verdict verdict = co_await session_.store(std::move(next.item->memory));
  judge(seq, pass, verdict, began);
  changed();
  pump();
}

void SessionBuddy::Courier::judge(std::int64_t seq, Fuse::Pass pass, const Verdict& verdict,
                                  std::uint64_t began) {
  const auto now = base::mono_now();
  Kind kind = verdict.kind;
  if (kind == Kind::Expired) {
    session_.forget(began);
    // Once is what sessions do; again and again is a server that does not work.
    if (backlog_.repeats(seq) >= kMostRepeats) kind = Kind::Trouble;
  }
  switch (kind) {
    case Kind::Accepted:
      fuse_->succeeded(pass);
      backlog_.accepted(seq);
      if (std::exchange(was_open_, false)) backlog_.hurry(now);
      window_ = std::min(window_ + 1, options_.http.connections);
      return keep({seq, Outcome::Kind::Accepted, 0, ""});
    case Kind::Refused:
      fuse_->succeeded(pass);
      note(verdict.error);
      return keep(backlog_.refused(seq, verdict.error, now, dice()));
    case Kind::Trouble:
      failed(pass, verdict.error);
      if (auto counted = backlog_.broke(seq, verdict.error, now, dice())) {
        return keep(std::move(*counted));
      }
      break;
    case Kind::Expired:
    case Kind::Cancelled:
      fuse_->dropped(pass);
      backlog_.again(seq, now);
      break;
  }
  const std::lock_guard lock(mutex_);
  ++figures_.retried;
}

void SessionBuddy::Courier::failed(Fuse::Pass pass, const std::string& error) {
  fuse_->failed(pass, error);
  note(error);
  if (fuse_->state() == domain::BreakerState::Closed) return;
  if (!std::exchange(was_open_, true)) {
    base::log()->warn("session buddy at {} is not called for now: {}", client_->origin().str(),
                      error);
    client_->withdraw();  // what lies ready would meet the same
  }
  window_ = 1;
  if (session_.fell_back()) session_.forget(session_.conversation());
}

void SessionBuddy::Courier::note(std::string error) {
  last_error_ = std::move(error);
  last_error_at_ = base::wall_now();
}

// ── Outcomes ─────────────────────────────────────────────────────────────────────────────────────

void SessionBuddy::Courier::keep(Outcome outcome) {
  {
    const std::lock_guard lock(mutex_);
    if (outcome.kind == Outcome::Kind::Accepted) ++figures_.accepted;
    if (outcome.kind == Outcome::Kind::Tried) ++figures_.retried;
    if (outcome.kind == Outcome::Kind::Dead) ++figures_.died;
  }
  if (outcome.kind == Outcome::Kind::Dead) {
    base::log()->warn("session buddy does not take memory {} ({} tries): {}", outcome.seq,
                      outcome.tries, outcome.error);
  }
  outcomes_.push_back(std::move(outcome));
  if (std::exchange(settle_armed_, true)) return;
  settle_.expires_after(options_.settle);
  settle_.async_wait([this](std::error_code) { settle(); });
}

void SessionBuddy::Courier::settle() {
  settle_armed_ = false;
  if (outcomes_.empty()) return;
  ++settling_;
  auto batch = std::exchange(outcomes_, {});
  outbox_.settle(batch, [this, batch](base::Status status) {
    asio::post(thread_.io(), [this, batch, status = std::move(status)] { settled(batch, status); });
  });
}

void SessionBuddy::Courier::settled(std::vector<Outcome> outcomes, const base::Status& status) {
  --settling_;
  if (status) {
    for (const Outcome& outcome : outcomes) backlog_.settled(outcome.seq);
  } else {
    note(status.error().message);
    outcomes_.insert(outcomes_.begin(), outcomes.begin(), outcomes.end());
    if (stopping_) {
      base::log()->warn("{} outcomes of memories are not written and will be sent again: {}",
                        outcomes_.size(), status.error().message);
      outcomes_.clear();
    } else if (!std::exchange(settle_armed_, true)) {
      settle_.expires_after(kSettleAgain);
      settle_.async_wait([this](std::error_code) { settle(); });
    }
  }
  look_again(quiet());
  changed();
  pump();
}

// At most once a second, unless it has to be right.
void SessionBuddy::Courier::look_again(bool now) {
  const auto moment = base::mono_now();
  if (!now && moment < looked_ + kLookAgain) return;
  if (!now && quiet()) return;
  looked_ = moment;
  const auto counts = outbox_.counts();
  // Asked here, not by who wants figures: a thread of the client may hold its lock for long.
  const auto http = client_->stats();
  const std::lock_guard lock(mutex_);
  figures_.http = http;
  figures_.in_flight = calls_at_once();
  if (!counts) return;
  figures_.outbox = counts->waiting;
  figures_.dead = counts->dead;
}

// ── Looking, searching, ending ───────────────────────────────────────────────────────────────────

bool SessionBuddy::Courier::quiet() const {
  return backlog_.empty() && outcomes_.empty() && settling_ == 0 && !connecting_;
}

void SessionBuddy::Courier::changed() {
  for (asio::steady_timer* waiter : waiters_) waiter->cancel();
}

awaitable<void> SessionBuddy::Courier::wait_for_change(MonoTime until) {
  using Point = asio::steady_timer::time_point;
  asio::steady_timer timer(thread_.io(), until == MonoTime::max() ? Point::max() : Point(until));
  waiters_.insert(&timer);
  co_await timer.async_wait(base::as_result);
  waiters_.erase(&timer);
}

awaitable<void> SessionBuddy::Courier::look(domain::SyncRequest request,
                                            Answer<domain::SyncStatus> answer) {
  const auto until = base::mono_now() + request.wait;
  if (request.retry_dead) {
    ++settling_;
    outbox_.revive([this](base::Status status) {
      asio::post(thread_.io(), [this, status = std::move(status)] {
        if (status) backlog_.rewind();
        settled({}, status);
      });
    });
    while (settling_ > 0 && !stopping_) co_await wait_for_change(MonoTime::max());
  }
  backlog_.hurry(base::mono_now());
  const bool waits = request.wait.count() > 0;
  awaited_ += waits ? 1 : 0;
  pump();
  while (!quiet() && base::mono_now() < until && !stopping_) co_await wait_for_change(until);
  awaited_ -= waits ? 1 : 0;
  look_again(true);
  reply_(std::move(answer), base::Result<domain::SyncStatus>(status()));
}

domain::SyncStatus SessionBuddy::Courier::status() const {
  using State = domain::SyncStatus::State;
  domain::SyncStatus status;
  const auto view = fuse_->view();
  const auto now = base::mono_now();
  const bool sending = backlog_.under_way() > 0 || connecting_ || backlog_.has_next(now);
  status.state = view.state != domain::BreakerState::Closed ? State::Down
                 : sending                                  ? State::Sending
                 : backlog_.waiting() > 0                   ? State::Waiting
                                                            : State::Idle;
  status.target = client_->origin().str();
  status.spoken = session_.spoken();
  status.outbox = outbox_.counts().value_or(domain::OutboxCounts{});
  status.in_flight = calls_at_once();
  const std::lock_guard lock(mutex_);
  status.sent = figures_.sent;
  status.accepted = figures_.accepted;
  status.retried = figures_.retried;
  status.died = figures_.died;
  status.breaker = view.state;
  status.retry_in = view.retry_in;
  status.last_error = last_error_;
  status.last_error_at = last_error_at_;
  return status;
}

awaitable<void> SessionBuddy::Courier::do_search(std::string words, int limit,
                                                 Answer<std::vector<domain::RemoteHit>> answer) {
  const auto until = base::mono_now() + options_.session.search_limit;
  if (!session_.connected()) connect();
  while (!session_.connected() && connecting_ && base::mono_now() < until && !stopping_) {
    co_await wait_for_change(until);
  }
  const auto refuse = [&](const std::string& why) {
    reply_(answer, base::Result<std::vector<domain::RemoteHit>>(
                       fail(ErrorCode::Unavailable, "session buddy: " + why, kSearchAgainMs)));
  };
  if (!session_.connected()) {
    co_return refuse(last_error_.empty() ? "there is no contact yet" : last_error_);
  }
  const auto pass = fuse_->ask();
  if (!pass.allowed()) co_return refuse("it is not called for now (breaker open): " + last_error_);
  const auto began = session_.conversation();
  Verdict verdict = co_await session_.search(std::move(words), limit);
  if (verdict.kind == Kind::Accepted || verdict.kind == Kind::Refused) {
    fuse_->succeeded(pass);
  } else if (verdict.kind == Kind::Trouble) {
    failed(pass, verdict.error);
  } else {
    fuse_->dropped(pass);
    if (verdict.kind == Kind::Expired) session_.forget(began);
  }
  if (verdict.kind == Kind::Accepted) {
    reply_(std::move(answer),
           base::Result<std::vector<domain::RemoteHit>>(hits_of(verdict.result, limit)));
  } else {
    refuse(verdict.error);
  }
  pump();  // it may have been the probe
}

// Once nothing is under way: writes the outcomes there are, then lets the thread end.
void SessionBuddy::Courier::finish() {
  changed();
  if (backlog_.under_way() > 0 || connecting_ || settling_ > 0) return;
  if (!outcomes_.empty()) return settle();
  settle_.cancel();
  thread_.release();
}

}  // namespace mahavishnu::outbound
