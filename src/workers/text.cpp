#include "workers/text.h"

namespace mahavishnu::workers {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

unsigned char byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool continues(unsigned char byte) { return (byte & 0xC0U) == 0x80U; }

// Bytes of the character that begins with `lead`; 0: none does.
std::size_t length_of(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Overlong forms, surrogates and what is past U+10FFFF show in the second byte (RFC 3629 §4).
bool second_fits(unsigned char lead, unsigned char second) {
  if (!continues(second)) return false;
  if (lead == 0xE0) return second >= 0xA0;
  if (lead == 0xED) return second <= 0x9F;
  if (lead == 0xF0) return second >= 0x90;
  if (lead == 0xF4) return second <= 0x8F;
  return true;
}

// How many of the bytes at the start can belong to one character, and how many it wants.
struct Fit {
  std::size_t have = 0;
  std::size_t want = 0;
};

Fit fit(std::string_view text) {
  Fit fit{1, length_of(byte_at(text, 0))};
  if (fit.want < 2) return fit;
  if (text.size() < 2 || !second_fits(byte_at(text, 0), byte_at(text, 1))) return fit;
  fit.have = 2;
  while (fit.have < fit.want && fit.have < text.size() && continues(byte_at(text, fit.have))) {
    ++fit.have;
  }
  return fit;
}

}  // namespace

std::string valid_text(std::string_view raw) {
  std::string text;
  text.reserve(raw.size());
  while (!raw.empty()) {
    const Fit found = fit(raw);
    if (found.have == found.want && raw[0] != '\0') {
      text.append(raw.substr(0, found.have));
      raw.remove_prefix(found.have);
    } else {
      text.append(kReplacement);
      raw.remove_prefix(1);
    }
  }
  return text;
}

std::string last_valid_text(std::string_view raw, std::size_t max) {
  if (raw.size() > max) raw.remove_prefix(raw.size() - max);
  std::string text = valid_text(raw);
  if (text.size() <= max) return text;
  const std::string_view end = std::string_view(text).substr(text.size() - max);
  return std::string(end.substr(leading_rest(end)));
}

std::size_t unfinished(std::string_view raw) {
  for (std::size_t back = 1; back <= 3 && back <= raw.size(); ++back) {
    const std::string_view end = raw.substr(raw.size() - back);
    if (continues(byte_at(end, 0))) continue;
    const Fit found = fit(end);
    return found.have == back && found.have < found.want ? back : 0;
  }
  return 0;
}

std::size_t leading_rest(std::string_view raw) {
  std::size_t rest = 0;
  while (rest < 3 && rest < raw.size() && continues(byte_at(raw, rest))) ++rest;
  return rest;
}

}  // namespace mahavishnu::workers
