#include "net/http_client.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <charconv>
#include <system_error>

#include "net/outgoing_connection.h"

namespace mahavishnu::net {
namespace {

using base::ErrorCode;
using base::fail;
using base::MonoTime;
using base::Result;

constexpr long kQueueRetryMs = 1000;
// What may still come once an answer is known, so that its connection can be kept.
constexpr base::Millis kRest{100};
constexpr base::Millis kWarmLimit{3000};
constexpr base::Millis kCutAgain{20};

}  // namespace

// ── Addresses ────────────────────────────────────────────────────────────────────────────────────

std::string Origin::str() const {
  const bool six = host.find(':') != std::string::npos;
  return (tls ? "https://" : "http://") + (six ? "[" + host + "]" : host) + ":" +
         std::to_string(port);
}

Result<Origin> parse_origin(const std::string& url) {
  const auto wrong = [&url] {
    return fail(ErrorCode::InvalidArgument,
                "\"" + url + "\" is not a URL such as http://127.0.0.1:8678/mcp");
  };
  Origin origin;
  std::string_view rest = url;
  origin.tls = rest.starts_with("https://");
  if (!origin.tls && !rest.starts_with("http://")) return wrong();
  rest.remove_prefix(origin.tls ? 8 : 7);
  if (rest.find_first_of("@?# \t\r\n") != std::string_view::npos) return wrong();
  const auto slash = std::min(rest.find('/'), rest.size());
  std::string_view place = rest.substr(0, slash);
  origin.path = rest.substr(slash);
  while (origin.path.ends_with('/')) origin.path.pop_back();
  if (place.starts_with('[')) {
    const auto end = place.find(']');
    if (end == std::string_view::npos) return wrong();
    origin.host = place.substr(1, end - 1);
    place.remove_prefix(end + 1);
  } else {
    origin.host = place.substr(0, place.find(':'));
    place.remove_prefix(origin.host.size());
  }
  origin.port = origin.tls ? 443 : 80;
  if (!place.empty()) {
    const char* end = place.data() + place.size();
    const auto read = std::from_chars(place.data() + 1, end, origin.port);
    if (place[0] != ':' || read.ec != std::errc() || read.ptr != end) return wrong();
  }
  if (origin.host.empty() || origin.port < 1 || origin.port > 65535) return wrong();
  return origin;
}

const std::string& HttpReply::header(std::string_view name) const {
  static const std::string none;
  for (const auto& [known, value] : headers) {
    if (known == name) return value;
  }
  return none;
}

// ── The client ───────────────────────────────────────────────────────────────────────────────────

struct HttpClient::Worker {
  Worker(const Origin& origin, const HttpClientOptions& options, HostLookup& lookup)
      : connection(origin, options, lookup) {}

  OutgoingConnection connection;
  MonoTime until = MonoTime::max();  // of the call at hand; max: there is none
  bool to_warm = false;              // its connection is wanted before a call
  bool gone = false;                 // its thread is about to end
  std::thread thread;
};

Result<std::unique_ptr<HttpClient>> HttpClient::make(const std::string& url,
                                                     HttpClientOptions options) {
  auto origin = parse_origin(url);
  if (!origin) return fail(std::move(origin.error()));
  return std::unique_ptr<HttpClient>(new HttpClient(std::move(*origin), std::move(options)));
}

HttpClient::HttpClient(Origin origin, HttpClientOptions options)
    : origin_(std::move(origin)), options_(std::move(options)), lookup_(origin_.host) {}

HttpClient::~HttpClient() { stop(); }

void HttpClient::send(HttpCall call, Answer answer) {
  const auto total = call.total.count() > 0 ? call.total : options_.total;
  Job job{std::move(call), std::move(answer), base::mono_now() + total};
  base::Error refusal;
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) bury();  // stop() goes through them without the lock
    if (stopping_) {
      refusal = {ErrorCode::Cancelled, "calls to " + origin_.str() + " have ended", 0};
    } else if (queue_.size() >= options_.max_queue) {
      refusal = {ErrorCode::Exhausted,
                 std::to_string(queue_.size()) + " calls to " + origin_.str() + " are waiting",
                 kQueueRetryMs};
    } else {
      queue_.push_back(std::move(job));
      if (queue_.size() > free_) hire();
      if (!workers_.empty()) return work_.notify_one();
      job = std::move(queue_.back());
      queue_.pop_back();
      refusal = {ErrorCode::Unavailable, "no thread to call " + origin_.str(), kQueueRetryMs};
    }
  }
  job.answer(fail(std::move(refusal)));
}

void HttpClient::warm(std::size_t connections) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return;
  bury();
  connections = std::min(connections, options_.connections);
  while (workers_.size() < connections) {
    const std::size_t before = workers_.size();
    hire();
    if (workers_.size() == before) return;
    workers_.back()->to_warm = true;
  }
  work_.notify_all();
}

void HttpClient::withdraw() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    left = std::exchange(queue_, {});
  }
  cancel(std::move(left), "are taken back");
}

void HttpClient::cancel(std::deque<Job> jobs, const char* why) {
  for (Job& job : jobs) {
    job.answer(fail(ErrorCode::Cancelled, "calls to " + origin_.str() + " " + why));
  }
}

// One more thread, if there may be one. Under the lock.
void HttpClient::hire() {
  if (workers_.size() >= options_.connections) return;
  try {
    if (!guard_thread_.joinable()) guard_thread_ = std::thread([this] { guard(); });
    auto worker = std::make_unique<Worker>(origin_, options_, lookup_);
    worker->thread = std::thread([this, raw = worker.get()] { run(*raw); });
    workers_.push_back(std::move(worker));
    ++free_;
  } catch (const std::system_error&) {
    // The threads there are will do; without any the call is refused.
  }
}

// Takes threads away that have ended. Under the lock.
void HttpClient::bury() {
  std::erase_if(workers_, [](const std::unique_ptr<Worker>& worker) {
    if (worker->gone) worker->thread.join();  // it has nothing left to do
    return worker->gone;
  });
}

void HttpClient::run(Worker& worker) {
  if (options_.when_idle) {
    const sched_param none{};
    ::pthread_setschedparam(::pthread_self(), SCHED_IDLE, &none);
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    if (queue_.empty() && worker.to_warm && !stopping_) {
      worker.to_warm = false;
      lock.unlock();
      worker.connection.open(base::mono_now() + kWarmLimit);
      lock.lock();
      continue;
    }
    const bool asked = work_.wait_for(lock, options_.idle, [this, &worker] {
      return stopping_ || !queue_.empty() || worker.to_warm;
    });
    if (stopping_ || !asked) break;
    if (queue_.empty()) continue;
    --free_;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    perform(worker, std::move(job));
    lock.lock();
  }
  --free_;
  worker.gone = !stopping_;  // stop() joins all by itself
}

void HttpClient::perform(Worker& worker, Job job) {
  auto reply =
      base::mono_now() < job.deadline
          ? call_over(worker, job)
          : Result<HttpReply>(fail(ErrorCode::Deadline, "all connections to " + origin_.str() +
                                                            " were busy for too long"));
  {
    // Before the answer: whoever calls again because of it is to find this connection.
    const std::lock_guard lock(mutex_);
    ++free_;
  }
  job.answer(std::move(reply));
}

Result<HttpReply> HttpClient::call_over(Worker& worker, const Job& job) {
  worker.connection.begin();
  watch(worker, job.deadline);
  const auto settled = [this, &worker, &job] {
    watch(worker, std::min(job.deadline, base::mono_now() + kRest));
  };
  bool gzip = false;
  {
    const std::lock_guard lock(mutex_);
    gzip = takes_gzip_ && job.call.body.size() > options_.gzip_from;
  }
  auto outcome = worker.connection.call(job.call, gzip, job.deadline, settled);
  if (gzip && outcome.reply && outcome.reply->status == 415) {
    {
      const std::lock_guard lock(mutex_);
      takes_gzip_ = gzip = false;
    }
    outcome = worker.connection.call(job.call, false, job.deadline, settled);
  }
  watch(worker, MonoTime::max());
  const std::lock_guard lock(mutex_);
  ++stats_.calls;
  if (outcome.reused) ++stats_.reused;
  if (outcome.made) {
    const auto took = static_cast<std::uint64_t>(outcome.connect_time.count());
    ++stats_.connections;
    stats_.connect_us += took;
    stats_.slowest_connect_us = std::max(stats_.slowest_connect_us, took);
  }
  if (outcome.reply && !gzip && outcome.reply->status != 415) {
    // RFC 7694: a server says of itself which codings of requests it takes.
    takes_gzip_ |= outcome.reply->header("accept-encoding").find("gzip") != std::string::npos;
  }
  if (stopping_ && !outcome.reply) {
    return fail(ErrorCode::Cancelled, "calls to " + origin_.str() + " have ended");
  }
  settle(outcome.reply.has_value());
  return std::move(outcome.reply);
}

void HttpClient::settle(bool answered) {
  const auto now = base::mono_now();
  if (!answered) {
    ++stats_.failures;
    if (failing_since_ == MonoTime{}) failing_since_ = now;
  } else if (failing_since_ != MonoTime{}) {
    ++stats_.recoveries;
    stats_.last_recovery =
        std::chrono::duration_cast<base::Millis>(now - std::exchange(failing_since_, {}));
  }
}

// ── The guard ────────────────────────────────────────────────────────────────────────────────────

// The worker's call ends by then; max: it has ended.
void HttpClient::watch(Worker& worker, MonoTime until) {
  const std::lock_guard lock(mutex_);
  worker.until = until;
  if (until < guard_at_) guard_wake_.notify_one();
}

void HttpClient::guard() {
  std::unique_lock lock(mutex_);
  while (!over_) {
    // Told to stop, it cuts calls again and again: one may just have been about to connect.
    const auto now = stopping_ ? MonoTime::max() - kCutAgain : base::mono_now();
    guard_at_ = MonoTime::max();
    for (const auto& worker : workers_) {
      if (worker->until <= now) {
        if (!stopping_) worker->until = MonoTime::max();
        worker->connection.cut();
      }
      guard_at_ = std::min(guard_at_, worker->until);
    }
    if (stopping_) {
      guard_wake_.wait_for(lock, kCutAgain);
    } else if (guard_at_ == MonoTime::max()) {
      guard_wake_.wait(lock);
    } else {
      guard_wake_.wait_until(lock, guard_at_);
    }
  }
}

HttpClient::Stats HttpClient::stats() const {
  const std::lock_guard lock(mutex_);
  Stats stats = stats_;
  stats.open = static_cast<std::size_t>(
      std::count_if(workers_.begin(), workers_.end(), [](const auto& w) { return !w->gone; }));
  stats.waiting = queue_.size();
  return stats;
}

void HttpClient::stop() {
  std::deque<Job> left;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    left = std::exchange(queue_, {});
    work_.notify_all();
    guard_wake_.notify_all();
  }
  cancel(std::move(left), "have ended");
  for (const auto& worker : workers_) {
    if (worker->thread.joinable()) worker->thread.join();
  }
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
    guard_wake_.notify_all();
  }
  if (guard_thread_.joinable()) guard_thread_.join();
  const std::lock_guard lock(mutex_);  // whoever reads the figures now finds none
  workers_.clear();
}

}  // namespace mahavishnu::net
