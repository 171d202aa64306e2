#include "rpc/number_scan.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace mahavishnu::rpc {
namespace {

constexpr std::size_t kShown = 40;  // bytes of a number in an error message

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

std::size_t skip_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_space(text[at])) ++at;
  return at;
}

// From the opening quote to just past the closing one.
std::size_t skip_string(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return text.size();
}

std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

struct NumberToken {
  std::size_t end = 0;
  bool integer = true;
};

// The longest number of JSON's grammar that starts at `at`; nullopt when there is none.
std::optional<NumberToken> number_at(std::string_view text, std::size_t at) {
  std::size_t end = at;
  if (end < text.size() && text[end] == '-') ++end;
  const std::size_t digits = end;
  end = skip_digits(text, end);
  if (end == digits || (text[digits] == '0' && end > digits + 1)) return std::nullopt;
  NumberToken token{end, true};
  if (end < text.size() && text[end] == '.') {
    const std::size_t fraction = skip_digits(text, end + 1);
    if (fraction == end + 1) return token;
    token = {fraction, false};
    end = fraction;
  }
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    std::size_t power = end + 1;
    if (power < text.size() && (text[power] == '+' || text[power] == '-')) ++power;
    const std::size_t power_end = skip_digits(text, power);
    if (power_end > power) token = {power_end, false};
  }
  return token;
}

bool fits(std::string_view number, bool integer) {
  if (!integer) return std::isfinite(std::strtod(std::string(number).c_str(), nullptr));
  const char* end = number.data() + number.size();
  std::int64_t small = 0;
  if (std::from_chars(number.data(), end, small).ec == std::errc{}) return true;
  std::uint64_t large = 0;
  return number.front() != '-' && std::from_chars(number.data(), end, large).ec == std::errc{};
}

}  // namespace

std::optional<OutsizedNumbers> find_outsized_numbers(std::string_view text) {
  std::optional<OutsizedNumbers> found;
  std::size_t at = 0;
  while (at < text.size()) {
    if (text[at] == '"') {
      at = skip_string(text, at);
      continue;
    }
    const auto token = number_at(text, at);
    if (!token) {
      at = is_digit(text[at]) ? skip_digits(text, at) : at + 1;  // `01` is none, nor is its tail
      continue;
    }
    const std::string_view number = text.substr(at, token->end - at);
    if (!fits(number, token->integer)) {
      if (!found) {
        found.emplace();
        found->first = number.size() <= kShown ? std::string(number)
                                               : std::string(number.substr(0, kShown)) + "…";
        found->sane_text = text;
      }
      found->sane_text.replace(at, number.size(), "0" + std::string(number.size() - 1, ' '));
    }
    at = token->end;
  }
  return found;
}

std::string_view raw_id(std::string_view text, bool batch, std::size_t index) {
  const std::size_t wanted_depth = batch ? 2 : 1;
  std::size_t depth = 0;
  std::size_t element = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"') {
      const std::size_t end = skip_string(text, at);
      const std::string_view key = text.substr(at, end - at);
      at = skip_space(text, end);
      const bool is_key = at < text.size() && text[at] == ':';
      if (!is_key || depth != wanted_depth || element != index || key != "\"id\"") continue;
      at = skip_space(text, at + 1);
      const auto token = number_at(text, at);
      return token ? text.substr(at, token->end - at) : std::string_view{};
    }
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    if (c == ',' && batch && depth == 1) ++element;
    ++at;
  }
  return {};
}

}  // namespace mahavishnu::rpc
