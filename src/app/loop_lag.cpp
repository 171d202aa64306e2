#include "app/loop_lag.h"

#include <utility>

namespace mahavishnu::app {

LoopLag::LoopLag(asio::any_io_executor control, std::function<void(std::chrono::microseconds)> late)
    : late_(std::move(late)), timer_(control), group_(control, "loop lag") {}

void LoopLag::start() { group_.spawn(run()); }

base::awaitable<void> LoopLag::stop() {
  group_.cancel();
  timer_.cancel();
  co_await group_.join();
}

base::awaitable<void> LoopLag::run() {
  while (true) {
    const auto due = asio::steady_timer::clock_type::now() + kEvery;
    timer_.expires_at(due);
    const auto [cancelled] = co_await timer_.async_wait(base::as_result);
    if (cancelled) co_return;
    late_(std::chrono::duration_cast<std::chrono::microseconds>(
        asio::steady_timer::clock_type::now() - due));
  }
}

}  // namespace mahavishnu::app
