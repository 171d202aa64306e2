// Runs an executor until something real has happened.
#pragma once

#include <doctest/doctest.h>

#include <chrono>

#include "base/asio.h"

namespace mahavishnu::support {

// Blocks on the events themselves; fails the test after ten seconds in which `condition` did not
// come true.
template <class Condition>
void run_until(asio::io_context& io, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    io.restart();
    io.run_one_until(deadline);
    REQUIRE(std::chrono::steady_clock::now() < deadline);
  }
}

}  // namespace mahavishnu::support
