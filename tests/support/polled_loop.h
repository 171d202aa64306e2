// An io_context that a test polls by hand, and calls that run on it.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "base/asio.h"
#include "support/manual_timers.h"

namespace mahavishnu::support {

class PolledLoop {
 public:
  // Runs everything that can run without time moving.
  void poll() {
    io.restart();
    io.poll();
  }

  // Starts a call without waiting for it; polls once.
  template <class T>
  std::shared_ptr<std::optional<T>> start(base::awaitable<T> call) {
    auto outcome = std::make_shared<std::optional<T>>();
    asio::co_spawn(io, std::move(call), [outcome](std::exception_ptr failed, T value) {
      if (failed) std::rethrow_exception(failed);
      outcome->emplace(std::move(value));
    });
    poll();
    return outcome;
  }

  // Runs a call that needs nothing but polling to end.
  template <class T>
  T run(base::awaitable<T> call) {
    auto outcome = start(std::move(call));
    if (!outcome->has_value()) throw std::runtime_error("the call did not end");
    return std::move(**outcome);
  }

  void advance(base::Millis by) {
    timers.advance(by);
    poll();
  }

  asio::io_context io;
  ManualTimers timers;
};

}  // namespace mahavishnu::support
