// What one request's body takes of the memory that all bodies of a server may take together; given
// back when the request has its answer, or with this. One executor.
#pragma once

#include <cstdint>
#include <utility>

namespace mahavishnu::net {

class BodyShare {
 public:
  BodyShare() = default;
  BodyShare(BodyShare&& other) noexcept
      : held_(std::exchange(other.held_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  BodyShare& operator=(BodyShare&&) = delete;
  ~BodyShare() { give_back(); }

  // `held` counts what all of them take, and outlives this. False: there is no room up to `limit`,
  // and nothing has changed.
  bool grow_to(std::uint64_t bytes, std::uint64_t& held, std::uint64_t limit) {
    if (bytes <= bytes_) return true;
    const std::uint64_t more = bytes - bytes_;
    if (held > limit || more > limit - held) return false;
    held += more;
    held_ = &held;
    bytes_ = bytes;
    return true;
  }

  void give_back() {
    if (held_ != nullptr) *held_ -= bytes_;
    held_ = nullptr;
    bytes_ = 0;
  }

 private:
  std::uint64_t* held_ = nullptr;
  std::uint64_t bytes_ = 0;
};

}  // namespace mahavishnu::net
