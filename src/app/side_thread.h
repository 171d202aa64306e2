// One thread for what would hold up the control thread; made when it is needed first, which with
// most users it never is. Bounded by its users. Control thread only.
#pragma once

#include <functional>
#include <memory>

#include "base/asio.h"

namespace mahavishnu::app {

class SideThread {
 public:
  void run(std::function<void()> work) {
    if (!thread_) thread_ = std::make_unique<asio::thread_pool>(1);
    asio::post(*thread_, std::move(work));
  }
  // What it works on is finished, what waits is dropped.
  void stop() {
    if (thread_) thread_->stop();
    finish();
  }
  // All of it is finished.
  void finish() {
    if (!thread_) return;
    thread_->join();
    thread_.reset();
  }

 private:
  std::unique_ptr<asio::thread_pool> thread_;
};

}  // namespace mahavishnu::app
