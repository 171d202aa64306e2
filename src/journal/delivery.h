// Brings answers from the layer's threads to the control thread, until it is closed.
//
// Shared by everything that answers. `close` is called on the control thread, or when that thread
// runs no more; after it nothing is called, not even what was posted before.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <utility>

#include "base/asio.h"
#include "base/time.h"

namespace mahavishnu::journal {

class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  using OnWait = std::function<void(std::chrono::microseconds)>;
  // `on_wait`, which may be empty, is told how long each answer waited for the control thread.
  explicit Delivery(asio::any_io_executor control, OnWait on_wait = {})
      : control_(std::move(control)), on_wait_(std::move(on_wait)) {}

  template <class Call>
  void post(Call call) {
    if (closed_) return;
    asio::post(control_, [self = shared_from_this(), call = std::move(call),
                          posted = base::mono_now()]() mutable {
      if (self->closed_) return;
      if (self->on_wait_) self->on_wait_(base::mono_now() - posted);
      call();
    });
  }
  void close() { closed_ = true; }

 private:
  asio::any_io_executor control_;
  const OnWait on_wait_;
  std::atomic<bool> closed_{false};
};

}  // namespace mahavishnu::journal
