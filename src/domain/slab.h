// Stable numbered slots for values that come and go: chunks that never move, and a free list.
//
// A slot number is 4 bytes where a pointer is 8, and a reference to a value stays valid while
// others are added. Freed slots are reused last in, first out. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace mahavishnu::domain {

inline constexpr std::uint32_t kNone = 0xFFFFFFFFU;  // no slot
inline constexpr std::size_t kCacheLine = 64;        // bytes, of x86-64 and of most ARM cores

// `value` is needed soon: all of it is on its way from memory while other work goes on. Among
// thousands of pools nothing a task touches is in the cache, and each miss is as long as 300
// instructions.
template <class T>
void fetch(const T& value) {
  const char* const from = reinterpret_cast<const char*>(&value);
  for (std::size_t at = 0; at < sizeof(T); at += kCacheLine) __builtin_prefetch(from + at);
}

template <class T>
class Slab {
 public:
  T& operator[](std::uint32_t slot) { return chunks_[slot >> kBits][slot & kMask]; }
  const T& operator[](std::uint32_t slot) const { return chunks_[slot >> kBits][slot & kMask]; }

  std::uint32_t add() {
    if (!free_.empty()) {
      const std::uint32_t slot = free_.back();
      free_.pop_back();
      return slot;
    }
    if ((end_ & kMask) == 0) chunks_.push_back(std::make_unique<T[]>(kMask + 1));
    return end_++;
  }
  // The value is reset: what it held is given back at once.
  void remove(std::uint32_t slot) {
    (*this)[slot] = T{};
    free_.push_back(slot);
  }

  std::uint32_t end() const { return end_; }  // every slot ever used is below it
  std::size_t size() const { return end_ - free_.size(); }

 private:
  static constexpr std::uint32_t kBits = 8;
  static constexpr std::uint32_t kMask = (1U << kBits) - 1;
  std::vector<std::unique_ptr<T[]>> chunks_;
  std::vector<std::uint32_t> free_;
  std::uint32_t end_ = 0;
};

}  // namespace mahavishnu::domain
