// Time as the shell takes it: a port, so that a test or a simulation gives its own.
#pragma once

#include <functional>
#include <memory>

#include "base/asio.h"
#include "base/ids.h"
#include "domain/events.h"

namespace mahavishnu::control {

class Timers {
 public:
  virtual ~Timers() = default;

  // The time and fresh chance for one step.
  virtual domain::Moment now() = 0;

  // Calls `due` on the control thread once `at` has come, never from inside this call. One alarm:
  // setting it again replaces it.
  virtual void set_alarm(base::MonoTime at, std::function<void()> due) = 0;
  virtual void clear_alarm() = 0;
};

// The real clock and an Asio timer on `executor`.
std::unique_ptr<Timers> make_system_timers(asio::any_io_executor executor);

}  // namespace mahavishnu::control
