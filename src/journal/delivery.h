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

namespace mahavishnu::journal {

class Delivery : public std::enable_shared_from_this<Delivery> {
 public:
  explicit Delivery(asio::any_io_executor control) : control_(std::move(control)) {}

  template <class Call>
  void post(Call call) {
    if (closed_) return;
    asio::post(control_, [self = shared_from_this(), call = std::move(call)]() mutable {
      if (!self->closed_) call();
    });
  }
  void close() { closed_ = true; }

 private:
  asio::any_io_executor control_;
  std::atomic<bool> closed_{false};
};

}  // namespace mahavishnu::journal
