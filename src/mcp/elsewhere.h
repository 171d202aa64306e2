// Work that would hold up the dispatcher's thread, done on another: a body of 4 MiB takes 147 ms to
// decode, and a thousand other calls would wait for it.
//
// `elsewhere` has no thread of its own, ServerOptions::offload brings one. Whoever waits may be
// cancelled meanwhile: what the other thread works on is its own, and its result is then dropped on
// the dispatcher's executor. A server that stops waits for it, so that it still is answered.
#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "base/asio.h"
#include "mcp/dispatcher.h"

namespace mahavishnu::mcp {

// What is longer is decoded elsewhere, where there is an elsewhere.
inline constexpr std::size_t kDecodedInPlace = 64 * 1024;

inline bool is_for_elsewhere(const Dispatcher& dispatcher, std::size_t bytes) {
  return bytes > kDecodedInPlace && dispatcher.options().offload != nullptr;
}

// What `work` gave; nullopt when the awaiting coroutine was cancelled. An exception of the work is
// thrown here. What the work holds is freed on the other thread.
template <class T>
base::awaitable<std::optional<T>> elsewhere(Dispatcher& dispatcher, std::function<T()> work) {
  struct Desk {
    explicit Desk(asio::any_io_executor executor) : ready(std::move(executor)) {
      ready.expires_at(asio::steady_timer::time_point::max());
    }
    asio::steady_timer ready;
    std::optional<T> value;
    std::exception_ptr failure;
  };
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto counted = std::make_shared<RunningCall>(dispatcher.calls(), nullptr, rpc::RequestId{});
  const auto desk = std::make_shared<Desk>(dispatcher.executor());
  dispatcher.options().offload(
      [executor = dispatcher.executor(), desk, work = std::move(work)]() mutable {
        std::optional<T> value;
        std::exception_ptr failure;
        try {
          value.emplace(work());
        } catch (...) {
          failure = std::current_exception();
        }
        work = nullptr;
        asio::post(executor, [desk = std::move(desk), value = std::move(value), failure]() mutable {
          desk->value = std::move(value);
          desk->failure = failure;
          desk->ready.cancel();
        });
      });
  const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
  bool waiting = state.cancelled() == asio::cancellation_type::none;
  while (waiting && !desk->value && !desk->failure) {
    co_await desk->ready.async_wait(base::as_result);
    const asio::cancellation_state now = co_await asio::this_coro::cancellation_state;
    waiting = now.cancelled() == asio::cancellation_type::none;
  }
  counted->end();
  co_await asio::this_coro::throw_if_cancelled(throws);
  if (!waiting) co_return std::nullopt;
  if (desk->failure) std::rethrow_exception(desk->failure);
  co_return std::move(desk->value);
}

}  // namespace mahavishnu::mcp
