#include "base/time.h"
#include "control/timers.h"

namespace mahavishnu::control {
namespace {

class SystemTimers final : public Timers {
 public:
  explicit SystemTimers(const asio::any_io_executor& executor) : timer_(executor) {}

  domain::Moment now() override { return {base::wall_now(), base::mono_now(), chance_.random()}; }

  void set_alarm(base::MonoTime at, std::function<void()> due) override {
    timer_.expires_at(at);  // cancels the wait before it
    timer_.async_wait([due = std::move(due)](asio::error_code failed) {
      if (!failed) due();
    });
  }

  void clear_alarm() override { timer_.cancel(); }

 private:
  asio::steady_timer timer_;
  base::UlidSource chance_;
};

}  // namespace

std::unique_ptr<Timers> make_system_timers(asio::any_io_executor executor) {
  return std::make_unique<SystemTimers>(executor);
}

}  // namespace mahavishnu::control
