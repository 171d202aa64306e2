// The thread on which one server outside is dealt with: an io_context of its own, which runs on
// what work leaves over, and one alarm.
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
  // `due` is called on the thread when the alarm is.
  explicit OwnThread(std::function<void()> due) : due_(std::move(due)), alarm_(io_) {}

  asio::io_context& io() { return io_; }
  void start();
  bool started() const { return thread_.joinable(); }

  // On the thread. The earliest moment asked for holds; the others are forgotten with it.
  void wake_at(base::MonoTime when);
  // On the thread: it ends when what is posted is done.
  void release();
  void join() { thread_.join(); }

 private:
  const std::function<void()> due_;
  asio::io_context io_{1};
  asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
  asio::steady_timer alarm_;
  base::MonoTime wakes_at_ = base::MonoTime::max();
  std::thread thread_;
};

}  // namespace mahavishnu::outbound
