// Bytes that were read and not yet consumed. Starts at 4 KiB, so that thousands of idle connections
// cost little; grows on demand up to a bound and shrinks again when it is empty.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace mahavishnu::net {

class ReadBuffer {
 public:
  static constexpr std::size_t kIdleBytes = 4096;

  explicit ReadBuffer(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  std::string_view view() const { return {bytes_.get() + begin_, end_ - begin_}; }
  std::size_t size() const { return end_ - begin_; }
  void consume(std::size_t bytes) { begin_ += bytes; }
  void received(std::size_t bytes) { end_ += bytes; }
  char* free_begin() { return bytes_.get() + end_; }
  std::size_t free_size() const { return capacity_ - end_; }

  // Makes room for `least` bytes or more; less than that only at the bound. `wanted` is how much an
  // empty buffer should hold: it grows and shrinks to it.
  void make_room(std::size_t least, std::size_t wanted) {
    if (size() == 0) {
      begin_ = end_ = 0;
      const std::size_t target = std::clamp(wanted, kIdleBytes, max_bytes_);
      if (capacity_ != target) reallocate(target);
      return;
    }
    if (free_size() >= least) return;
    if (begin_ > 0) std::memmove(bytes_.get(), bytes_.get() + begin_, size());
    end_ -= begin_;
    begin_ = 0;
    if (free_size() < least && capacity_ < max_bytes_) {
      reallocate(std::min(max_bytes_, std::max(capacity_ * 2, size() + wanted)));
    }
  }

  // Gives its memory back where nothing is left in it.
  void release() {
    if (size() > 0) return;
    bytes_.reset();
    capacity_ = begin_ = end_ = 0;
  }

 private:
  void reallocate(std::size_t capacity) {
    auto moved = std::make_unique_for_overwrite<char[]>(capacity);
    if (end_ > 0) std::memcpy(moved.get(), bytes_.get(), end_);
    bytes_ = std::move(moved);
    capacity_ = capacity;
  }

  std::size_t max_bytes_;
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace mahavishnu::net
