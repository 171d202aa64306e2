#include "control/clocks.h"

namespace mahavishnu::control {
namespace {

constexpr base::Millis kMinute{60000};
constexpr int kSlots = 16;  // fifteen whole minutes and the one that runs

Quantiles quantiles(const base::Histogram& values) {
  return {values.count(),           values.min_ms(),          values.mean_ms(),
          values.quantile_ms(0.50), values.quantile_ms(0.90), values.quantile_ms(0.95),
          values.quantile_ms(0.99), values.max_ms()};
}

constexpr std::array<std::string_view, kStages> kNames{
    "stage.admit", "stage.schema", "stage.control_wait", "stage.journal", "stage.capacity_wait",
    "stage.spawn", "stage.run",    "stage.collect",      "stage.reply",   "stage.loop_lag"};

}  // namespace

std::string_view to_string(Stage stage) { return kNames[static_cast<std::size_t>(stage)]; }

Clocks::Operation::Operation() : recent(kMinute, kSlots) {}

void Clocks::Operation::add(base::MonoTime now, std::chrono::microseconds took) {
  recent.add(now, took);
  ++count;
  sum += took;
}

Clocks::Clocks() = default;

void Clocks::add(std::string_view operation, base::MonoTime now, std::chrono::microseconds took) {
  auto found = operations_.find(operation);
  if (found == operations_.end()) {
    const bool full = operations_.size() >= kMostOperations;
    found = operations_.try_emplace(full ? "other" : std::string(operation)).first;
  }
  found->second.add(now, took);
}

void Clocks::add(Stage stage, base::MonoTime now, std::chrono::microseconds took) {
  stages_[static_cast<std::size_t>(stage)].add(now, took);
}

template <class Visit>
void Clocks::each(Visit visit) const {
  for (std::size_t i = 0; i < kStages; ++i) visit(std::string(kNames[i]), stages_[i]);
  for (const auto& [name, operation] : operations_) visit(name, operation);
}

void Clocks::count(std::string_view counter, std::uint64_t more) {
  const auto found = counters_.find(counter);
  if (found != counters_.end()) {
    found->second += more;
  } else if (counters_.size() < kMostOperations) {
    counters_.emplace(counter, more);
  } else {
    counters_["other"] += more;
  }
}

void Clocks::queue_wait(base::PoolId pool, base::MonoTime now, std::chrono::microseconds waited) {
  pools_[pool].queue_wait.add(now, waited);
  add(Stage::CapacityWait, now, waited);
}

void Clocks::run_time(base::PoolId pool, base::MonoTime now, std::chrono::microseconds ran) {
  pools_[pool].run_time.add(now, ran);
  add(Stage::Run, now, ran);
}

std::map<std::string, Quantiles> Clocks::latency(base::MonoTime now, base::Millis window) const {
  std::map<std::string, Quantiles> all;
  each([&](const std::string& name, const Operation& operation) {
    const base::Histogram sum = operation.recent.over(now, window);
    if (sum.count() > 0) all.emplace(name, quantiles(sum));
  });
  return all;
}

std::map<std::string, double> Clocks::per_second(base::MonoTime now, base::Millis window) const {
  std::map<std::string, double> all;
  each([&](const std::string& name, const Operation& operation) {
    const std::uint64_t count = operation.recent.count(now, window);
    if (count > 0)
      all.emplace(name, static_cast<double>(count) * 1000.0 / static_cast<double>(window.count()));
  });
  return all;
}

std::map<std::string, Clocks::Total> Clocks::totals() const {
  std::map<std::string, Total> all;
  each([&](const std::string& name, const Operation& operation) {
    if (operation.count == 0) return;
    all[name] = {operation.count, std::chrono::duration<double>(operation.sum).count()};
  });
  return all;
}

Clocks::PoolTimes Clocks::pool(base::PoolId pool, base::MonoTime now) const {
  const auto found = pools_.find(pool);
  if (found == pools_.end()) return {};
  const OfPool& times = found->second;
  const auto per_minute = [&](int minutes) {
    return static_cast<double>(times.run_time.count(now, kMinute * minutes)) / minutes;
  };
  return {quantiles(times.queue_wait.over(now, kMinute * 15)),
          quantiles(times.run_time.over(now, kMinute * 15)), per_minute(1), per_minute(5),
          per_minute(15)};
}

}  // namespace mahavishnu::control
