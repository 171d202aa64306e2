// The thread on which one server outside is dealt with: an io_context of its own, which runs on
// what work leaves over, and one alarm.
//
// It may rest between what is posted: what comes meanwhile waits for 2 ms and is done together, and
// no core is taken for each by itself.
//
// Its owner posts to it, and stops it in two steps: release() on the thread once nothing is under
// way, then join(). Lifetime: longer than everything that posts to it.
#pragma once

#include <functional>
#include <thread>

#include "base/asio.h"
#include "base/time.h"

namespace mahavishnu::outbound {

class OwnThread {
 public:
  // Both are called on the thread: `due` when the alarm is, `may_rest` when nothing is posted.
  explicit OwnThread(
      std::function<void()> due, std::function<bool()> may_rest = [] { return false; })
      : due_(std::move(due)), may_rest_(std::move(may_rest)), alarm_(io_) {}

  asio::io_context& io() { return io_; }
  void start();
  bool started() const { return thread_.joinable(); }

  // On the thread. The earliest moment asked for holds; the others are forgotten with it.
  void wake_at(base::MonoTime when);
  // On the thread: it ends when what is posted is done.
  void release();
  void join() { thread_.join(); }

 private:
  void run();

  const std::function<void()> due_;
  const std::function<bool()> may_rest_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  asio::steady_timer alarm_;
  base::MonoTime wakes_at_ = base::MonoTime::max();
  std::thread thread_;
};

}  // namespace mahavishnu::outbound
