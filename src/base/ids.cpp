#include "base/ids.h"

#include <random>

namespace mahavishnu::base {
namespace {

constexpr std::string_view kAlphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr size_t kUlidLength = 26;

int digit_of(char c) {
  if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  const size_t at = kAlphabet.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

std::uint64_t split_mix(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31);
}

}  // namespace

std::string to_string(Ulid ulid) {
  std::string text(kUlidLength, '0');
  for (size_t i = kUlidLength; i-- > 0;) {
    text[i] = kAlphabet[ulid.low & 31U];
    ulid.low = (ulid.low >> 5U) | (ulid.high << 59U);
    ulid.high >>= 5U;
  }
  return text;
}

Result<Ulid> parse_ulid(std::string_view text) {
  if (text.size() != kUlidLength || digit_of(text.front()) > 7) {
    return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is not a ULID");
  }
  Ulid ulid;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) {
      return fail(ErrorCode::InvalidArgument, "\"" + std::string(text) + "\" is not a ULID");
    }
    ulid.high = (ulid.high << 5U) | (ulid.low >> 59U);
    ulid.low = (ulid.low << 5U) | static_cast<std::uint64_t>(digit);
  }
  return ulid;
}

UlidSource::UlidSource() {
  std::random_device device;
  for (auto& word : state_) word = (static_cast<std::uint64_t>(device()) << 32U) | device();
}

UlidSource::UlidSource(std::uint64_t seed) : state_{split_mix(seed), split_mix(seed)} {}

// xoroshiro128+ (Blackman and Vigna): ids need to be unique here, not secret; tokens and session
// ids come from OpenSSL.
std::uint64_t UlidSource::random() {
  const auto rotate = [](std::uint64_t x, unsigned k) { return (x << k) | (x >> (64U - k)); };
  const std::uint64_t a = state_[0];
  std::uint64_t b = state_[1];
  const std::uint64_t result = a + b;
  b ^= a;
  state_[0] = rotate(a, 24U) ^ b ^ (b << 16U);
  state_[1] = rotate(b, 37U);
  return result;
}

Ulid UlidSource::next(WallTime now) {
  const auto ms = static_cast<std::uint64_t>(now.time_since_epoch().count()) & 0xFFFFFFFFFFFFULL;
  if (ms <= (last_.high >> 16U)) {
    // The same millisecond, or a clock that stepped back: count on from the last one.
    if (++last_.low == 0) ++last_.high;
    return last_;
  }
  last_ = Ulid{(ms << 16U) | (random() & 0xFFFFU), random()};
  return last_;
}

}  // namespace mahavishnu::base
