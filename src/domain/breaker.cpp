#include "domain/breaker.h"

#include <algorithm>

namespace mahavishnu::domain {
namespace {

constexpr double kSpread = 0.25;

}  // namespace

std::string_view to_string(BreakerState state) {
  switch (state) {
    case BreakerState::Closed:
      return "closed";
    case BreakerState::HalfOpen:
      return "half_open";
    case BreakerState::Open:
      return "open";
  }
  return "";
}

Breaker::Pass Breaker::ask_slowly(base::MonoTime now) {
  if (state_ == BreakerState::Open && now >= retry_at_) enter(BreakerState::HalfOpen, now);
  if (state_ == BreakerState::HalfOpen && (!probing_ || now >= probe_until_)) {
    // What a given-up probe still brings is of an earlier period.
    if (probing_) ++period_;
    probing_ = true;
    probe_until_ = now + options_.probe_limit;
    ++counts_.allowed;
    return {Verdict::Probe, period_};
  }
  ++counts_.refused;
  return {state_ == BreakerState::HalfOpen ? Verdict::Wait : Verdict::Refused, period_};
}

void Breaker::succeeded(Pass pass, base::MonoTime now) {
  if (pass.period != period_ || !pass.allowed()) return;
  counts_.in_a_row = 0;
  if (state_ == BreakerState::HalfOpen) reset(now);
}

void Breaker::failed(Pass pass, base::MonoTime now, double spread) {
  if (!pass.allowed()) return;
  ++counts_.failed;
  if (pass.period != period_) return;
  ++counts_.in_a_row;
  if (state_ == BreakerState::HalfOpen || counts_.in_a_row >= options_.failures) open(now, spread);
}

void Breaker::dropped(Pass pass) {
  if (pass.period == period_ && pass.verdict == Verdict::Probe) probing_ = false;
}

void Breaker::reset(base::MonoTime now) {
  counts_.in_a_row = 0;
  cool_down_ = base::Millis(0);
  if (state_ != BreakerState::Closed) enter(BreakerState::Closed, now);
}

void Breaker::open(base::MonoTime now, double spread) {
  const double grown = static_cast<double>(cool_down_.count()) * options_.growth;
  cool_down_ = cool_down_.count() == 0
                   ? options_.cool_down
                   : base::Millis(static_cast<std::int64_t>(
                         std::min(grown, static_cast<double>(options_.longest.count()))));
  const double stretched =
      static_cast<double>(cool_down_.count()) * (1 + kSpread * std::clamp(spread, 0.0, 1.0));
  enter(BreakerState::Open, now);
  retry_at_ = now + base::Millis(static_cast<std::int64_t>(stretched));
  ++counts_.opened;
}

void Breaker::enter(BreakerState state, base::MonoTime now) {
  state_ = state;
  since_ = now;
  probing_ = false;
  ++period_;
}

}  // namespace mahavishnu::domain
