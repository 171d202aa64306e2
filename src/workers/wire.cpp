#include "workers/wire.h"

#include <cstring>

namespace mahavishnu::workers {
namespace {

constexpr std::size_t kHead = 5;  // u32 length of the body, u8 kind
constexpr std::uint32_t kLongestBody = 64U << 20U;

}  // namespace

Writer& Writer::number(std::uint64_t value) {
  bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
  return *this;
}

Writer& Writer::text(std::string_view value) {
  number(value.size());
  bytes_.append(value);
  return *this;
}

std::uint64_t Reader::number() {
  std::uint64_t value = 0;
  if (!good_ || rest_.size() < sizeof value) {
    good_ = false;
    return 0;
  }
  std::memcpy(&value, rest_.data(), sizeof value);
  rest_.remove_prefix(sizeof value);
  return value;
}

std::string Reader::text() {
  const std::uint64_t size = number();
  if (!good_ || rest_.size() < size) {
    good_ = false;
    return {};
  }
  std::string value(rest_.substr(0, size));
  rest_.remove_prefix(size);
  return value;
}

std::string encode(Kind kind, std::string_view body) {
  const auto size = static_cast<std::uint32_t>(body.size());
  std::string frame;
  frame.reserve(kHead + body.size());
  frame.append(reinterpret_cast<const char*>(&size), sizeof size);
  frame.push_back(static_cast<char>(kind));
  frame.append(body);
  return frame;
}

std::optional<Frame> FrameBuffer::next() {
  const std::string_view rest = std::string_view(bytes_).substr(taken_);
  if (broken_ || rest.size() < kHead) return std::nullopt;
  std::uint32_t size = 0;
  std::memcpy(&size, rest.data(), sizeof size);
  if (size > kLongestBody) {
    broken_ = true;
    return std::nullopt;
  }
  if (rest.size() < kHead + size) return std::nullopt;
  Frame frame{static_cast<Kind>(rest[4]), std::string(rest.substr(kHead, size))};
  taken_ += kHead + size;
  if (taken_ == bytes_.size()) {
    bytes_.clear();
    taken_ = 0;
  } else if (taken_ > 65536) {
    bytes_.erase(0, taken_);
    taken_ = 0;
  }
  return frame;
}

}  // namespace mahavishnu::workers
