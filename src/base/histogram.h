// Bounded histograms of durations: fixed memory however many values come.
//
// Buckets grow by 1/8 of a power of two (error ≤ 6 %), from 1 µs to about 19 hours. A windowed one
// keeps a ring of slots and drops the oldest, so "the last five minutes" is a sum of slots. Slots
// take memory only once used. One thread.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.h"

namespace mahavishnu::base {

class Histogram {
 public:
  static constexpr int kSubBuckets = 8;
  static constexpr int kBuckets = 36 * kSubBuckets;

  void add(std::chrono::microseconds value);
  void merge(const Histogram& other);
  void clear() { *this = Histogram{}; }

  std::uint64_t count() const { return count_; }
  double min_ms() const { return count_ == 0 ? 0 : static_cast<double>(min_us_) / 1000.0; }
  double max_ms() const { return static_cast<double>(max_us_) / 1000.0; }
  double mean_ms() const {
    return count_ == 0 ? 0 : static_cast<double>(sum_us_) / static_cast<double>(count_) / 1000.0;
  }
  // The value below which `share` of all values lie, at most 6 % too high; 0 when empty.
  double quantile_ms(double share) const;

 private:
  static int bucket_of(std::uint64_t us);
  static std::uint64_t upper_us(int bucket);

  std::uint64_t count_ = 0, sum_us_ = 0, max_us_ = 0, min_us_ = ~0ULL;
  std::array<std::uint32_t, kBuckets> buckets_{};
};

// A ring of histograms, one for each `slot` of time.
class WindowedHistogram {
 public:
  WindowedHistogram(Millis slot, int slots) : slot_(slot), ring_(static_cast<std::size_t>(slots)) {}

  void add(MonoTime now, std::chrono::microseconds value);
  // All values of the last `window` (rounded up to whole slots).
  Histogram over(MonoTime now, Millis window) const;
  // How many values came in the last `window`.
  std::uint64_t count(MonoTime now, Millis window) const;

 private:
  struct Slot {
    std::int64_t number = -1;
    std::unique_ptr<Histogram> values;
  };
  std::int64_t number_of(MonoTime now) const;
  Histogram& slot_of(MonoTime now);

  Millis slot_;
  std::vector<Slot> ring_;
  // The slot of the last value, which the next one most often falls into as well.
  Histogram* last_ = nullptr;
  MonoTime last_from_{}, last_until_{};
};

}  // namespace mahavishnu::base
