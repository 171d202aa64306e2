#include "base/histogram.h"

#include <algorithm>
#include <bit>

namespace mahavishnu::base {

int Histogram::bucket_of(std::uint64_t us) {
  if (us < kSubBuckets) return static_cast<int>(us);
  const int power = std::bit_width(us) - 1;  // ≥ 3
  const int sub = static_cast<int>((us >> (power - 3)) & (kSubBuckets - 1));
  return std::min((power - 2) * kSubBuckets + sub, kBuckets - 1);
}

std::uint64_t Histogram::upper_us(int bucket) {
  if (bucket < kSubBuckets) return static_cast<std::uint64_t>(bucket);
  const int power = bucket / kSubBuckets + 2;
  const auto sub = static_cast<std::uint64_t>(bucket % kSubBuckets);
  return (1ULL << power) + ((sub + 1) << (power - 3)) - 1;
}

void Histogram::add(std::chrono::microseconds value) {
  const auto us = static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.count()));
  ++buckets_[static_cast<std::size_t>(bucket_of(us))];
  ++count_;
  sum_us_ += us;
  max_us_ = std::max(max_us_, us);
  min_us_ = std::min(min_us_, us);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_us_ += other.sum_us_;
  max_us_ = std::max(max_us_, other.max_us_);
  min_us_ = std::min(min_us_, other.min_us_);
}

double Histogram::quantile_ms(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count_ - 1)) + 1;
  std::uint64_t seen = 0;
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    seen += buckets_[static_cast<std::size_t>(bucket)];
    if (seen >= wanted) {
      return static_cast<double>(std::clamp(upper_us(bucket), min_us_, max_us_)) / 1000.0;
    }
  }
  return max_ms();
}

std::int64_t WindowedHistogram::number_of(MonoTime now) const {
  return std::chrono::duration_cast<Millis>(now.time_since_epoch()).count() / slot_.count();
}

Histogram& WindowedHistogram::slot_of(MonoTime now) {
  if (now >= last_from_ && now < last_until_) return *last_;
  const std::int64_t number = number_of(now);
  Slot& slot = ring_[static_cast<std::size_t>(number) % ring_.size()];
  if (!slot.values) slot.values = std::make_unique<Histogram>();
  if (slot.number != number) {
    slot.values->clear();
    slot.number = number;
  }
  last_ = slot.values.get();
  last_from_ = MonoTime{slot_ * number};
  last_until_ = last_from_ + slot_;
  return *last_;
}

void WindowedHistogram::add(MonoTime now, std::chrono::microseconds value) {
  slot_of(now).add(value);
}

Histogram WindowedHistogram::over(MonoTime now, Millis window) const {
  const std::int64_t newest = number_of(now);
  const std::int64_t oldest = newest - (window.count() + slot_.count() - 1) / slot_.count() + 1;
  Histogram sum;
  for (const Slot& slot : ring_) {
    if (slot.values && slot.number >= oldest && slot.number <= newest) sum.merge(*slot.values);
  }
  return sum;
}

std::uint64_t WindowedHistogram::count(MonoTime now, Millis window) const {
  const std::int64_t newest = number_of(now);
  const std::int64_t oldest = newest - (window.count() + slot_.count() - 1) / slot_.count() + 1;
  std::uint64_t sum = 0;
  for (const Slot& slot : ring_) {
    if (slot.values && slot.number >= oldest && slot.number <= newest) sum += slot.values->count();
  }
  return sum;
}

}  // namespace mahavishnu::base
