#include "mcp/notices.h"

#include <cmath>

#include "rpc/codec.h"

namespace mahavishnu::mcp {

using Clock = asio::steady_timer::clock_type;

Notices::Notices(asio::any_io_executor executor, Revision revision, base::Millis interval,
                 NoticeSink& sink)
    : executor_(executor),
      revision_(revision),
      interval_(interval),
      sink_(sink),
      wake_(executor),
      next_(Clock::time_point::min()),
      group_(executor, "mcp notices") {}

void Notices::report(const rpc::Json& token, double progress, double total, std::string message) {
  if (closing_ || !std::isfinite(progress) || (last_ && progress <= *last_)) return;
  last_ = progress;
  kept_ = Report{token, progress, std::isfinite(total) ? total : 0, std::move(message)};
  wake();
}

bool Notices::post(std::string text) {
  if (closing_) return false;
  if (messages_.size() >= kMostKept) {
    ++dropped_;
    return false;
  }
  messages_.push_back(std::move(text));
  wake();
  return true;
}

void Notices::wake() {
  if (started_) {
    wake_.cancel();
  } else {
    started_ = true;
    group_.spawn(pump());
  }
}

base::awaitable<void> Notices::finish() {
  closing_ = true;
  wake_.cancel();
  co_await group_.join();
}

base::awaitable<void> Notices::abandon() {
  messages_.clear();
  kept_.reset();
  co_await finish();
}

std::optional<std::string> Notices::next_due() {
  std::string text;
  if (kept_ && (closing_ || Clock::now() >= next_)) {
    text = encode(*kept_);
    kept_.reset();
    next_ = Clock::now() + interval_;
  } else if (!messages_.empty()) {
    text = std::move(messages_.front());
    messages_.pop_front();
  } else {
    return std::nullopt;
  }
  return text;
}

base::awaitable<void> Notices::pump() {
  while (true) {
    if (auto text = next_due()) {
      const bool sent = co_await sink_.send(std::move(*text));
      if (!sent) {
        closing_ = true;
        if (lost_) lost_();
        co_return;
      }
    } else if (closing_) {
      co_return;
    } else {
      wake_.expires_at(kept_ ? next_ : Clock::time_point::max());
      co_await wake_.async_wait(base::as_result);
    }
  }
}

std::string Notices::encode(const Report& report) const {
  rpc::Json params{{"progressToken", report.token}, {"progress", report.progress}};
  if (report.total > 0) params["total"] = report.total;
  // 2024-11-05 has no message here.
  if (!report.message.empty() && has_annotations(revision_)) params["message"] = report.message;
  return rpc::encode_notification("notifications/progress", params);
}

}  // namespace mahavishnu::mcp
