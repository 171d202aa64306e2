// Work that can only block (files, /proc), on two threads, with its result brought back to control.
//
// Bounded: over 256 jobs run() refuses. After stop() no result comes back; jobs already taken are
// finished, so that a release is not forgotten. run() and stop() on the control thread.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include "base/asio.h"

namespace mahavishnu::workers {

class FileWork {
 public:
  explicit FileWork(asio::any_io_executor control) : control_(std::move(control)) {}
  ~FileWork() { stop(); }

  // `then(job())` on control. False: too much is waiting already, and nothing was taken.
  template <class Job, class Then>
  bool run(Job job, Then then) {
    if (waiting_ >= kMost) return false;
    must(std::move(job), std::move(then));
    return true;
  }

  // The same for what may not be refused; the caller bounds it.
  template <class Job, class Then>
  void must(Job job, Then then) {
    if (!life_) return;
    ++waiting_;
    asio::post(threads_, [this, control = control_, life = std::weak_ptr<char>(life_),
                          job = std::move(job), then = std::move(then)]() mutable {
      auto result = std::make_shared<std::invoke_result_t<Job>>(job());
      asio::post(control, [this, life, result, then = std::move(then)]() mutable {
        if (life.expired()) return;
        --waiting_;
        then(std::move(*result));
      });
    });
  }

  void stop() {
    if (!life_) return;
    life_.reset();
    threads_.join();
  }

 private:
  static constexpr int kMost = 256;

  asio::any_io_executor control_;
  std::shared_ptr<char> life_ = std::make_shared<char>();
  int waiting_ = 0;
  asio::thread_pool threads_{2};
};

}  // namespace mahavishnu::workers
