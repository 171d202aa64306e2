// Which workers of a pool are taken. The first 64 are in the value itself. One thread.
#pragma once

#include <bit>
#include <cstdint>
#include <vector>

namespace mahavishnu::domain {

class WorkerSet {
 public:
  // The lowest free worker, so that the names in use stay small. A pool has up to 10,000 of them.
  std::uint32_t take() {
    if (first_ != kFull) return take_in(first_, 0);
    for (std::size_t word = 0; word < rest_.size(); ++word) {
      if (rest_[word] != kFull) return take_in(rest_[word], word + 1);
    }
    rest_.push_back(0);
    return take_in(rest_.back(), rest_.size());
  }
  // `worker` is taken.
  void give(std::uint32_t worker) {
    std::uint64_t& word = worker < kWord ? first_ : rest_[worker / kWord - 1];
    word &= ~(std::uint64_t{1} << (worker % kWord));
  }
  std::uint32_t size() const {
    int taken = std::popcount(first_);
    for (const std::uint64_t word : rest_) taken += std::popcount(word);
    return static_cast<std::uint32_t>(taken);
  }

 private:
  static constexpr std::uint32_t kWord = 64;
  static constexpr std::uint64_t kFull = ~std::uint64_t{0};

  static std::uint32_t take_in(std::uint64_t& word, std::size_t number) {
    const auto bit = static_cast<std::uint32_t>(std::countr_one(word));
    word |= std::uint64_t{1} << bit;
    return static_cast<std::uint32_t>(number) * kWord + bit;
  }

  std::uint64_t first_ = 0;
  std::vector<std::uint64_t> rest_;
};

}  // namespace mahavishnu::domain
