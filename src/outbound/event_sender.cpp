// The old way writes each event to the log server and waits. Here events lie in the history, and
// are read from it in pages, sent in bulks and forgotten; when the server is away the place in the
// history stands still, and nothing else happens.
#include "outbound/event_sender.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "outbound/backoff.h"
#include "outbound/opensearch_protocol.h"
#include "outbound/opensearch_search.h"

namespace mahavishnu::outbound {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Millis;
using BulkKind = BulkVerdict::Kind;

constexpr Millis kAnswerTime{1000};  // beyond what a search may take there
constexpr const char* kLines = "application/x-ndjson";

}  // namespace

OpenSearch::Sender::Sender(asio::any_io_executor control, OpenSearchOptions options,
                           std::unique_ptr<net::HttpClient> client, domain::EventFeed& feed,
                           std::shared_ptr<Fuse> fuse)
    : reply_(std::move(control)),
      options_(std::move(options)),
      authorization_(basic_credentials(options_.user, options_.password)),
      feed_(feed),
      fuse_(std::move(fuse)),
      thread_([this] { pump(); }),
      client_(std::move(client)),
      backlog_(options_.bulk),
      source_{options_.index, "", options_.node},
      group_(thread_.io().get_executor(), "opensearch"),
      window_(options_.connections) {}

// ── What others call ─────────────────────────────────────────────────────────────────────────────

void OpenSearch::Sender::start() {
  feed_.on_news([this] { news(); });
  fuse_->on_reset([this] { asio::post(thread_.io(), [this] { reset(); }); });
  thread_.start();
  asio::post(thread_.io(), [this] { pump(); });  // what a former life has left
}

void OpenSearch::Sender::stop() {
  reply_.close();
  feed_.on_news({});
  fuse_->on_reset({});
  asio::post(thread_.io(), [this] { stopping_ = true; });
  client_->stop();  // answers every call
  if (!thread_.started()) return;
  asio::post(thread_.io(), [this] { finish(); });
  thread_.join();
}

OpenSearch::Figures OpenSearch::Sender::figures() const {
  const auto newest = feed_.newest();
  const std::lock_guard lock(mutex_);
  Figures figures = figures_;
  figures.behind = std::max<std::int64_t>(newest - figures.behind, 0);  // there: the place
  return figures;
}

void OpenSearch::Sender::search(domain::LogFilter filter, domain::Page page, Found answer) {
  asio::post(thread_.io(), [this, filter = std::move(filter), page = std::move(page),
                            answer = std::move(answer)]() mutable {
    group_.spawn(do_search(std::move(filter), std::move(page), std::move(answer)));
  });
}

// On the history's thread: one post at a time, however many events there are.
void OpenSearch::Sender::news() {
  if (news_posted_.exchange(true)) return;
  asio::post(thread_.io(), [this] {
    news_posted_ = false;
    gathered_at_ = std::min(gathered_at_, base::mono_now() + options_.gather);
    if (!stopping_) thread_.wake_at(gathered_at_);
  });
}

void OpenSearch::Sender::reset() {
  pause_until_ = {};
  pump();
}

// ── What is next ─────────────────────────────────────────────────────────────────────────────────

// Starts all the calls that may be started now, and sees to it that it is called again when there
// may be more.
void OpenSearch::Sender::pump() {
  gather();
  while (!stopping_ && calls_ < window_ && !templating_ && find_place()) {
    if (backlog_.wants_page()) read_page();
    if (!backlog_.has_next(base::mono_now())) break;
    if (base::mono_now() < pause_until_) {
      thread_.wake_at(pause_until_);
      break;
    }
    const auto pass = fuse_->ask();
    if (pass.verdict == domain::Breaker::Verdict::Refused) thread_.wake_at(fuse_->retry_at());
    if (!pass.allowed()) break;  // the end of the probe comes back here
    if (!templated_) {
      templating_ = true;
      group_.spawn(put_template(pass));
      break;
    }
    send(backlog_.take(base::mono_now()), pass);
  }
  if (stopping_) return finish();
  const auto due = backlog_.next_due();
  if (due && *due > base::mono_now()) thread_.wake_at(*due);
  tell();
}

void OpenSearch::Sender::gather() {
  if (base::mono_now() < gathered_at_) {
    if (!stopping_ && gathered_at_ != base::MonoTime::max()) thread_.wake_at(gathered_at_);
    return;
  }
  gathered_at_ = base::MonoTime::max();
  backlog_.grew();
}

bool OpenSearch::Sender::find_place() {
  if (found_place_ || base::mono_now() < read_again_) return found_place_;
  auto place = feed_.place();
  if (!place) {
    note(place.error().message);
    read_again_ = base::mono_now() + kReadAgain;
    thread_.wake_at(read_again_);
    return false;
  }
  source_.history = std::move(place->history);
  backlog_.begin(place->sent);
  kept_ = place->sent;
  found_place_ = true;
  return true;
}

void OpenSearch::Sender::read_page() {
  if (base::mono_now() < read_again_) return thread_.wake_at(read_again_);
  auto page =
      feed_.next(backlog_.cursor(), static_cast<int>(options_.bulk.rows), options_.bulk.bytes);
  if (!page) {
    note(page.error().message);
    read_again_ = base::mono_now() + kReadAgain;
    return thread_.wake_at(read_again_);
  }
  std::vector<BulkItem> items;
  items.reserve(page->items.size());
  for (const auto& fed : page->items) items.push_back(bulk_item(source_, fed));
  backlog_.page(std::move(items), page->up_to, page->more);
  if (page->lost > 0) lost(page->lost);
}

// ── Calls ────────────────────────────────────────────────────────────────────────────────────────

net::HttpCall OpenSearch::Sender::call_to(std::string path, std::string body) const {
  net::HttpCall call;
  call.path = client_->origin().path + std::move(path);
  call.body = std::move(body);
  call.repeatable = true;  // a document has its id
  call.headers = {{"Accept", "application/json"}};
  if (!authorization_.empty()) call.headers.emplace_back("Authorization", authorization_);
  return call;
}

awaitable<void> OpenSearch::Sender::put_template(Fuse::Pass pass) {
  net::HttpCall call = call_to("/_index_template/" + options_.index, template_body(options_.index));
  call.method = "PUT";
  const auto reply = co_await call_of(thread_.io().get_executor(), *client_, std::move(call));
  templating_ = false;
  const BulkVerdict verdict = judge_template(reply, base::wall_now());
  if (verdict.kind == BulkKind::Answered) {
    // That it takes a template does not say that it works: the next call does.
    fuse_->dropped(pass);
    templated_ = true;
    if (!verdict.error.empty()) {
      note(verdict.error);
      base::log()->warn(
          "opensearch at {} takes no index template, its indexes get what it makes of them: {}",
          client_->origin().str(), verdict.error);
    }
  } else if (verdict.kind == BulkKind::Cancelled) {
    fuse_->dropped(pass);
  } else if (verdict.kind == BulkKind::Busy) {
    busy(pass, verdict);
  } else {
    failed(pass, verdict);
  }
  pump();
}

void OpenSearch::Sender::send(Bulk bulk, Fuse::Pass pass) {
  ++calls_;
  {
    const std::lock_guard lock(mutex_);
    ++figures_.bulks;
    figures_.sent += bulk.size();
  }
  group_.spawn(deliver(std::move(bulk), pass));
}

awaitable<void> OpenSearch::Sender::deliver(Bulk bulk, Fuse::Pass pass) {
  net::HttpCall call = call_to("/_bulk", bulk_body(bulk));
  call.content_type = kLines;
  const auto reply = co_await call_of(thread_.io().get_executor(), *client_, std::move(call));
  --calls_;
  const BulkVerdict verdict = judge_bulk(reply, bulk, base::wall_now());
  judge(std::move(bulk), pass, verdict);
  pump();
}

void OpenSearch::Sender::judge(Bulk bulk, Fuse::Pass pass, const BulkVerdict& verdict) {
  const auto now = base::mono_now();
  switch (verdict.kind) {
    case BulkKind::Answered: {
      worked(pass);
      const auto counts = backlog_.answered(std::move(bulk), verdict.items, now, dice());
      window_ = counts.again > 0 ? std::max<std::size_t>(window_ / 2, 1)
                                 : std::min(window_ + 1, options_.connections);
      return took(counts, verdict.error);
    }
    case BulkKind::TooLarge:
      worked(pass);
      return took(backlog_.too_large(std::move(bulk), now), verdict.error);
    case BulkKind::Busy:
      busy(pass, verdict);
      break;
    case BulkKind::Trouble:
      failed(pass, verdict);
      break;
    case BulkKind::Cancelled:
      fuse_->dropped(pass);
      break;
  }
  BulkBacklog::Counts counts;
  counts.again = bulk.size();
  backlog_.again(std::move(bulk), now);
  took(counts, "");
}

void OpenSearch::Sender::took(const BulkBacklog::Counts& counts, const std::string& error) {
  if (!error.empty()) note(error);
  std::uint64_t rejected = 0;
  {
    const std::lock_guard lock(mutex_);
    figures_.indexed += counts.indexed;
    figures_.known += counts.known;
    figures_.retried += counts.again;
    rejected = figures_.rejected += counts.rejected;
  }
  // The line is an event that may be rejected in its turn: each doubling is worth one.
  if (rejected < say_rejected_) return;
  say_rejected_ = 2 * rejected;
  base::log()->warn("opensearch at {} has rejected {} events, which are passed over: {}",
                    client_->origin().str(), rejected, error);
}

void OpenSearch::Sender::worked(Fuse::Pass pass) {
  fuse_->succeeded(pass);
  failures_ = 0;
  if (!std::exchange(was_open_, false)) return;
  base::log()->info("opensearch at {} is called again; it is {} events behind",
                    client_->origin().str(), feed_.newest() - backlog_.sent());
}

// It works: the breaker stays as it is.
void OpenSearch::Sender::busy(Fuse::Pass pass, const BulkVerdict& verdict) {
  fuse_->dropped(pass);
  note(verdict.error);
  pause(verdict.pause);
}

void OpenSearch::Sender::failed(Fuse::Pass pass, const BulkVerdict& verdict) {
  fuse_->failed(pass, verdict.error);
  note(verdict.error);
  pause(verdict.pause);
  if (fuse_->state() == domain::BreakerState::Closed) return;
  templated_ = false;  // who knows what comes back
  if (!std::exchange(was_open_, true)) {
    base::log()->warn("opensearch at {} is not called for now: {}", client_->origin().str(),
                      verdict.error);
  }
}

// One call at a time, and later and later while the breaker does not see to that.
void OpenSearch::Sender::pause(Millis asked) {
  window_ = 1;
  const bool open = fuse_->state() == domain::BreakerState::Open;
  const Millis own =
      open ? Millis(0) : backoff(++failures_, options_.pause, options_.longest_pause, dice());
  // Half of what is asked for on top, by chance: other clients were asked the same.
  const Millis theirs(
      static_cast<std::int64_t>(static_cast<double>(asked.count()) * (1 + dice() / 2)));
  pause_until_ = std::max(pause_until_, base::mono_now() + std::max(own, theirs));
}

// ── Searching ────────────────────────────────────────────────────────────────────────────────────

awaitable<void> OpenSearch::Sender::do_search(domain::LogFilter filter, domain::Page page,
                                              Found answer) {
  const auto refuse = [this, &answer](ErrorCode code, const std::string& why) {
    const auto retry = static_cast<long>(fuse_->view().retry_in.count());
    reply_(answer, base::Result<domain::LogPage>(
                       fail(code, "opensearch at " + client_->origin().str() + ": " + why, retry)));
  };
  auto body = search_body(filter, page, options_.search_limit);
  if (!body) {
    reply_(std::move(answer), base::Result<domain::LogPage>(fail(std::move(body.error()))));
    co_return;
  }
  const auto pass = fuse_->ask();
  if (!pass.allowed()) co_return refuse(ErrorCode::Unavailable, refusal());
  net::HttpCall call = call_to("/" + options_.index + "-*/_search", std::move(*body));
  call.total = options_.search_limit + kAnswerTime;
  const auto reply = co_await call_of(thread_.io().get_executor(), *client_, std::move(call));
  Searched found = judge_search(reply, page.limit);
  if (found.page) {
    worked(pass);
    reply_(std::move(answer), std::move(found.page));
  } else {
    const base::Error& error = found.page.error();
    if (found.trouble) {
      failed(pass, {BulkKind::Trouble, error.message, {}, {}});
    } else {
      fuse_->dropped(pass);
    }
    refuse(error.code,
           error.message + " (its breaker is " + std::string(to_string(fuse_->state())) + ")");
  }
  pump();  // it may have been the probe
}

// Why it is not asked.
std::string OpenSearch::Sender::refusal() const {
  const auto view = fuse_->view();
  const std::string state(domain::to_string(view.state));
  const std::string until = view.retry_in.count() > 0
                                ? ", the next try is in " + std::to_string(view.retry_in.count()) +
                                      " ms (breaker_reset makes it now)"
                                : ", a try is under way";
  return "it is not called for now, its breaker is " + state + until +
         (view.last_error.empty() ? "" : ": " + view.last_error);
}

// ── Telling and ending ───────────────────────────────────────────────────────────────────────────

void OpenSearch::Sender::lost(std::int64_t count) {
  std::uint64_t dropped = 0;
  {
    const std::lock_guard lock(mutex_);
    dropped = figures_.dropped += static_cast<std::uint64_t>(count);
  }
  if (dropped < say_lost_) return;
  say_lost_ = 2 * dropped;
  base::log()->warn(
      "{} events left the history before opensearch at {} took them; log.max_bytes and log.keep "
      "bound it",
      dropped, client_->origin().str());
}

void OpenSearch::Sender::note(const std::string& error) {
  const std::lock_guard lock(mutex_);
  figures_.last_error = error;
}

// How far it is: to the history, which keeps it, and to whoever wants figures.
void OpenSearch::Sender::tell() {
  const auto sent = backlog_.sent();
  // Asked here, not by who wants figures: a thread of the client may hold its lock for long.
  const auto http = client_->stats();
  {
    const std::lock_guard lock(mutex_);
    figures_.http = http;
    figures_.behind = sent;
    figures_.in_flight = static_cast<std::int64_t>(calls_);
  }
  if (found_place_ && sent > kept_) feed_.sent(kept_ = sent);
}

// Once nothing is under way: lets the thread end.
void OpenSearch::Sender::finish() {
  if (calls_ > 0 || templating_) return;
  tell();
  thread_.release();
}

}  // namespace mahavishnu::outbound
