// A value that one coroutine waits for and one callback brings: the bridge from the ports'
// callbacks to coroutines.
//
// One thread. Held by shared_ptr from both sides, so that either may go first. A wait that is
// cancelled answers Cancelled; a value that comes afterwards is dropped.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "base/asio.h"
#include "base/result.h"

namespace mahavishnu::control {

template <class T>
class OneShot {
 public:
  explicit OneShot(const asio::any_io_executor& executor)
      : ready_(executor, asio::steady_timer::time_point::max()) {}

  void set(T value) {
    if (value_) return;
    value_.emplace(std::move(value));
    ready_.cancel();
  }

  // T is a Result: the value, or Cancelled when the waiting coroutine was cancelled.
  static base::awaitable<T> wait(std::shared_ptr<OneShot> self) {
    if (!self->value_) co_await self->ready_.async_wait(base::as_result);
    if (!self->value_) co_return base::fail(base::ErrorCode::Cancelled, "the call was cancelled");
    co_return std::move(*self->value_);
  }

 private:
  std::optional<T> value_;
  asio::steady_timer ready_;  // never fires by itself
};

// Runs `start(callback)` and resumes with what the callback was given.
template <class T, class Start>
base::awaitable<base::Result<T>> answer_of(asio::any_io_executor executor, Start start) {
  auto shot = std::make_shared<OneShot<base::Result<T>>>(executor);
  start([shot](base::Result<T> answer) { shot->set(std::move(answer)); });
  co_return co_await OneShot<base::Result<T>>::wait(shot);
}

}  // namespace mahavishnu::control
