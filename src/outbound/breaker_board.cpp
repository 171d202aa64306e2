#include "outbound/breaker_board.h"

#include <utility>
#include <vector>

#include "domain/repositories.h"

namespace mahavishnu::outbound {

using domain::BreakerState;

// A look at the clock costs more than all the rest, and a closed breaker does not ask for it.
base::MonoTime Fuse::now() const {
  return breaker_.state() == BreakerState::Closed ? base::MonoTime{} : clock_();
}

Fuse::Pass Fuse::ask() {
  const std::lock_guard lock(mutex_);
  return breaker_.ask(now());
}

void Fuse::succeeded(Pass pass) {
  const std::lock_guard lock(mutex_);
  breaker_.succeeded(pass, now());
}

void Fuse::failed(Pass pass, std::string error) {
  const std::lock_guard lock(mutex_);
  const double spread = std::uniform_real_distribution<double>(0, 1)(dice_);
  breaker_.failed(pass, clock_(), spread);
  last_error_ = std::move(error);
}

void Fuse::dropped(Pass pass) {
  const std::lock_guard lock(mutex_);
  breaker_.dropped(pass);
}

void Fuse::reset() {
  std::function<void()> told;
  {
    const std::lock_guard lock(mutex_);
    breaker_.reset(clock_());
    told = on_reset_;
  }
  if (told) told();
}

void Fuse::on_reset(std::function<void()> told) {
  const std::lock_guard lock(mutex_);
  on_reset_ = std::move(told);
}

BreakerState Fuse::state() const {
  const std::lock_guard lock(mutex_);
  return breaker_.state();
}

base::MonoTime Fuse::retry_at() const {
  const std::lock_guard lock(mutex_);
  return breaker_.retry_at();
}

domain::BreakerView Fuse::view() const {
  using std::chrono::duration_cast;
  const std::lock_guard lock(mutex_);
  const auto now = clock_();
  domain::BreakerView view;
  view.state = breaker_.state();
  view.counts = breaker_.counts();
  view.cool_down = breaker_.cool_down();
  view.last_error = last_error_;
  if (breaker_.since() != base::MonoTime{}) {
    view.in_state = duration_cast<base::Millis>(now - breaker_.since());
  }
  if (view.state == BreakerState::Open && breaker_.retry_at() > now) {
    view.retry_in = duration_cast<base::Millis>(breaker_.retry_at() - now);
  }
  return view;
}

std::shared_ptr<Fuse> BreakerBoard::fuse(const std::string& target,
                                         domain::BreakerOptions options) {
  const std::lock_guard lock(mutex_);
  auto& fuse = fuses_[target];
  if (!fuse) fuse = std::make_shared<Fuse>(options, clock_);
  return fuse;
}

std::vector<domain::BreakerView> BreakerBoard::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<domain::BreakerView> views;
  for (const auto& [target, fuse] : fuses_) {
    views.push_back(fuse->view());
    views.back().target = target;
  }
  return views;
}

base::Status BreakerBoard::reset(const std::string& target) {
  std::shared_ptr<Fuse> fuse;
  std::vector<std::string> known;
  {
    const std::lock_guard lock(mutex_);
    const auto found = fuses_.find(target);
    if (found != fuses_.end()) fuse = found->second;
    for (const auto& entry : fuses_) known.push_back(entry.first);
  }
  if (fuse) {
    fuse->reset();
    return {};
  }
  const std::string near = domain::nearest(target, known);
  return base::fail(
      base::ErrorCode::NotFound,
      "there is no breaker \"" + target + "\"; " +
          (near.empty() ? "breaker_list shows those there are" : "did you mean \"" + near + "\"?"));
}

}  // namespace mahavishnu::outbound
