#include "outbound/notice_sender.h"

#include <utility>

#include "base/log.h"
#include "outbound/backoff.h"

namespace mahavishnu::outbound {

using base::ErrorCode;
using base::Status;

NoticeSender::NoticeSender(std::unique_ptr<NoticeWay> way, Options options)
    : way_(std::move(way)), options_(options), thread_([this] { run(); }) {}

NoticeSender::~NoticeSender() { stop(base::Millis(0)); }

void NoticeSender::send(std::string notice) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || last_round_) {
    ++counts_.dropped;
    return;
  }
  if (queue_.size() >= options_.max_queued) {
    queue_.pop_front();
    ++counts_.dropped;
  }
  queue_.push_back({std::move(notice), base::mono_now(), 0});
  wake_.notify_one();
}

void NoticeSender::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (stopping_) return;
    if (queue_.empty()) {
      empty_.notify_all();
      wake_.wait(lock);
      continue;
    }
    if (!last_round_ && base::mono_now() < next_try_) {
      wake_.wait_until(lock, next_try_);
      continue;
    }
    Waiting waiting = std::move(queue_.front());
    queue_.pop_front();
    carrying_ = true;
    lock.unlock();
    const Status outcome = way_->carry(waiting.text);
    lock.lock();
    carrying_ = false;
    settle(std::move(waiting), outcome);
  }
}

void NoticeSender::settle(Waiting waiting, const Status& outcome) {
  if (outcome) {
    ++counts_.sent;
    next_try_ = base::MonoTime::min();
    return;
  }
  if (stopping_) {
    ++counts_.dropped;
    return;
  }
  ++counts_.failed;
  const auto now = base::mono_now();
  const bool refused = outcome.error().code == ErrorCode::InvalidArgument;
  const bool gone = refused || last_round_ || now - waiting.since >= options_.give_up;
  base::log()->warn("a notice could not be sent to {}: {}{}", way_->name(), outcome.error().message,
                    gone ? "; it is dropped" : "");
  if (gone) {
    ++counts_.dropped;
    return;
  }
  const double dice = std::uniform_real_distribution<double>(0, 1)(random_);
  next_try_ = now + backoff(++waiting.failures, options_.pause, options_.longest, dice);
  if (queue_.size() < options_.max_queued) {
    queue_.push_front(std::move(waiting));
  } else {
    ++counts_.dropped;
  }
}

void NoticeSender::stop(base::Millis grace) {
  {
    std::unique_lock lock(mutex_);
    if (!stopping_ && grace.count() > 0) {
      last_round_ = true;
      wake_.notify_all();
      empty_.wait_until(lock, base::mono_now() + grace,
                        [this] { return queue_.empty() && !carrying_; });
    }
    stopping_ = true;
    counts_.dropped += queue_.size();
    queue_.clear();
    wake_.notify_all();
  }
  way_->cut();
  if (thread_.joinable()) thread_.join();
}

NoticeSender::Counts NoticeSender::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.queued = queue_.size() + (carrying_ ? 1 : 0);
  return counts;
}

}  // namespace mahavishnu::outbound
