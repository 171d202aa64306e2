// How late the control loop is: a timer that says how long after its time it was served.
//
// What blocks the loop (a long step, a forgotten blocking call) shows here before users feel it.
// Control thread. Await stop() before destruction.
#pragma once

#include <functional>

#include "base/asio.h"
#include "base/task_group.h"
#include "base/time.h"

namespace mahavishnu::app {

class LoopLag {
 public:
  static constexpr base::Millis kEvery{200};

  LoopLag(asio::any_io_executor control, std::function<void(std::chrono::microseconds)> late);
  void start();
  base::awaitable<void> stop();

 private:
  base::awaitable<void> run();

  std::function<void(std::chrono::microseconds)> late_;
  asio::steady_timer timer_;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
