// A list of slot numbers that holds up to four of them in itself.
//
// Most heaps of the queues have one entry or two, and there are ten a pool and more: with their
// entries inside they cost no allocation, and no second miss of the cache to look at the first. One
// thread; moved, never copied.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

namespace mahavishnu::domain {

class SlotList {
 public:
  SlotList() = default;
  SlotList(SlotList&& other) noexcept { *this = std::move(other); }
  SlotList& operator=(SlotList&& other) noexcept {
    if (this == &other) return *this;
    if (allocated()) delete[] at_.many;
    size_ = std::exchange(other.size_, 0);
    capacity_ = std::exchange(other.capacity_, kInside);
    at_ = std::exchange(other.at_, Slots{});
    return *this;
  }
  ~SlotList() {
    if (allocated()) delete[] at_.many;
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  std::uint32_t& operator[](std::size_t at) { return data()[at]; }
  std::uint32_t operator[](std::size_t at) const { return data()[at]; }
  std::uint32_t front() const { return data()[0]; }
  std::uint32_t back() const { return data()[size_ - 1]; }
  void push_back(std::uint32_t slot) {
    if (size_ == capacity_) grow();
    data()[size_++] = slot;
  }
  void pop_back() { --size_; }

 private:
  static constexpr std::uint32_t kInside = 4;
  union Slots {
    std::uint32_t few[kInside] = {};
    std::uint32_t* many;
  };

  bool allocated() const { return capacity_ > kInside; }
  std::uint32_t* data() { return allocated() ? at_.many : at_.few; }
  const std::uint32_t* data() const { return allocated() ? at_.many : at_.few; }
  void grow() {
    auto* more = new std::uint32_t[capacity_ * 2];
    std::copy_n(data(), size_, more);
    if (allocated()) delete[] at_.many;
    at_.many = more;
    capacity_ *= 2;
  }

  std::uint32_t size_ = 0;
  std::uint32_t capacity_ = kInside;
  Slots at_;
};

}  // namespace mahavishnu::domain
