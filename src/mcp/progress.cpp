#include "mcp/progress.h"

#include <cmath>

#include "rpc/codec.h"

namespace mahavishnu::mcp {

using Clock = asio::steady_timer::clock_type;

ProgressSender::ProgressSender(asio::any_io_executor executor, rpc::Json token, Revision revision,
                               ProgressSink& sink)
    : executor_(executor),
      token_(std::move(token)),
      revision_(revision),
      sink_(sink),
      wake_(executor),
      next_(Clock::time_point::min()),
      group_(executor, "mcp progress") {}

void ProgressSender::report(double progress, double total, std::string message) {
  if (closing_ || !std::isfinite(progress) || (last_ && progress <= *last_)) return;
  last_ = progress;
  kept_ = Report{progress, std::isfinite(total) ? total : 0, std::move(message)};
  if (started_) {
    wake_.cancel();
  } else {
    started_ = true;
    group_.spawn(pump());
  }
}

base::awaitable<void> ProgressSender::finish() {
  closing_ = true;
  wake_.cancel();
  co_await group_.join();
}

base::awaitable<void> ProgressSender::abandon() {
  kept_.reset();
  co_await finish();
}

base::awaitable<void> ProgressSender::pump() {
  while (true) {
    if (kept_ && (closing_ || Clock::now() >= next_)) {
      std::string text = encode(*kept_);
      kept_.reset();
      next_ = Clock::now() + kInterval;
      if (!co_await sink_.send(std::move(text))) {
        closing_ = true;
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

std::string ProgressSender::encode(const Report& report) const {
  rpc::Json params{{"progressToken", token_}, {"progress", report.progress}};
  if (report.total > 0) params["total"] = report.total;
  // 2024-11-05 has no message here.
  if (!report.message.empty() && has_annotations(revision_)) params["message"] = report.message;
  return rpc::encode_notification("notifications/progress", params);
}

}  // namespace mahavishnu::mcp
