// Lets coroutines wait until something changed; the waiter then looks again at what it waited for.
//
// A timer that never fires by itself: `notify` wakes all who wait now. One executor.
#pragma once

#include "base/asio.h"

namespace mahavishnu::net {

class Signal {
 public:
  explicit Signal(asio::any_io_executor executor) : timer_(std::move(executor)) {
    timer_.expires_at(asio::steady_timer::time_point::max());
  }

  void notify() { timer_.cancel(); }

  // False when the waiting coroutine itself was cancelled.
  base::awaitable<bool> wait() {
    co_await timer_.async_wait(base::as_result);
    const auto state = co_await asio::this_coro::cancellation_state;
    co_return state.cancelled() == asio::cancellation_type::none;
  }

 private:
  asio::steady_timer timer_;
};

}  // namespace mahavishnu::net
