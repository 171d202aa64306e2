// Carries notices to the operator one after another, on a thread of its own.
//
// A way that hangs holds up nobody but the notices behind it, and no longer than its own limit.
// What fails is tried again with growing pauses until it is too old. The queue is bounded: when it
// is full the oldest waiting one makes room, and is counted. Any thread. Lifetime: stop() before
// destruction.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::outbound {

// One way to an operator.
class NoticeWay {
 public:
  virtual ~NoticeWay() = default;
  virtual std::string name() const = 0;  // "https://hooks.example/x", for people
  // One try, on the sender's thread, bounded in time. InvalidArgument: it is refused for good;
  // any other error: worth another try.
  virtual base::Status carry(const std::string& notice) = 0;
  // Ends a try under way, and lets no other begin. Any thread; idempotent.
  virtual void cut() = 0;
};

class NoticeSender {
 public:
  struct Options {
    std::size_t max_queued = 100;
    base::Millis pause{1000};  // after the first failure; doubled with each, half by chance
    base::Millis longest{300'000};
    base::Millis give_up{std::chrono::hours(24)};
  };
  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t failed = 0;   // tries
    std::uint64_t dropped = 0;  // refused for good, too old, or without room
    std::size_t queued = 0;
  };

  NoticeSender(std::unique_ptr<NoticeWay> way, Options options);
  explicit NoticeSender(std::unique_ptr<NoticeWay> way) : NoticeSender(std::move(way), Options{}) {}
  ~NoticeSender();
  NoticeSender(const NoticeSender&) = delete;
  NoticeSender& operator=(const NoticeSender&) = delete;

  void send(std::string notice);
  // What is queued has this long to go out, at one try each; what is left is dropped. Idempotent.
  void stop(base::Millis grace);
  Counts counts() const;
  std::string way() const { return way_->name(); }

 private:
  struct Waiting {
    std::string text;
    base::MonoTime since{};
    int failures = 0;
  };
  void run();
  void settle(Waiting waiting, const base::Status& outcome);

  const std::unique_ptr<NoticeWay> way_;
  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, empty_;
  std::deque<Waiting> queue_;
  base::MonoTime next_try_ = base::MonoTime::min();
  bool carrying_ = false;
  bool last_round_ = false;  // one try each, without a pause
  bool stopping_ = false;
  Counts counts_;
  std::minstd_rand random_{std::random_device{}()};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::outbound
