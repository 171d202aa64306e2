// The breakers of everything that is called outside, one a target, behind one lock each.
//
// Whoever calls a target keeps its Fuse: it asks before the call and hands the pass back after it.
// The board shows all of them and can reset one. Any thread; the lock is held for a few
// instructions, never over a call.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>

#include "domain/breakers.h"

namespace mahavishnu::outbound {

using Clock = std::function<base::MonoTime()>;

// One target's breaker.
class Fuse {
 public:
  using Pass = domain::Breaker::Pass;

  Fuse(domain::BreakerOptions options, Clock clock)
      : clock_(std::move(clock)), breaker_(options), dice_(std::random_device{}()) {}

  Pass ask();
  void succeeded(Pass pass);
  void failed(Pass pass, std::string error);
  void dropped(Pass pass);

  void reset();
  // Told after each reset, on the thread that asked for it; replaces the one before.
  void on_reset(std::function<void()> told);

  domain::BreakerState state() const;
  base::MonoTime retry_at() const;   // when it is open
  domain::BreakerView view() const;  // without the target

 private:
  base::MonoTime now() const;

  const Clock clock_;
  mutable std::mutex mutex_;
  domain::Breaker breaker_;
  std::minstd_rand dice_;
  std::string last_error_;
  std::function<void()> on_reset_;
};

class BreakerBoard final : public domain::Breakers {
 public:
  explicit BreakerBoard(Clock clock = base::mono_now) : clock_(std::move(clock)) {}

  // The fuse of this target, made at the first call; later options change nothing.
  std::shared_ptr<Fuse> fuse(const std::string& target, domain::BreakerOptions options = {});

  std::vector<domain::BreakerView> list() const override;
  base::Status reset(const std::string& target) override;

 private:
  const Clock clock_;
  mutable std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Fuse>> fuses_;
};

}  // namespace mahavishnu::outbound
