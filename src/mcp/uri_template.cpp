#include "mcp/uri_template.h"

#include <algorithm>

namespace mahavishnu::mcp {
namespace {

bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// RFC 3986, section 2.3.
bool is_unreserved(char c) {
  return is_letter_or_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

bool is_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return is_letter_or_digit(c) || c == '_'; });
}

int hexadecimal(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// How many bytes the UTF-8 sequence at the start of `text` has; 0: it is none (Unicode 15, table
// 3-7).
std::size_t sequence_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xC2 || lead > 0xF4) return 0;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (text.size() < length) return 0;
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return length;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

// A value as it was before it was expanded; nothing when no expansion writes it so.
std::optional<std::string> decode_value(std::string_view text) {
  if (text.empty()) return std::nullopt;
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (is_unreserved(text[at])) {
      out += text[at];
      continue;
    }
    if (text[at] != '%' || at + 2 >= text.size()) return std::nullopt;
    const int high = hexadecimal(text[at + 1]);
    const int low = hexadecimal(text[at + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    at += 2;
  }
  if (!is_utf8(out)) return std::nullopt;
  return out;
}

}  // namespace

base::Result<UriTemplate> UriTemplate::parse(std::string_view text) {
  const auto refuse = [text](const std::string& why) {
    return base::fail(base::ErrorCode::InvalidArgument,
                      "URI template \"" + std::string(text.substr(0, 100)) + "\": " + why);
  };
  if (text.empty() || text.size() > kMaxTemplate) return refuse("must have 1 to 2048 bytes");
  UriTemplate made;
  made.text_ = text;
  while (true) {
    const std::size_t open = text.find_first_of("{}");
    made.literals_.emplace_back(text.substr(0, open));
    if (open == std::string_view::npos) return made;
    if (!made.names_.empty() && made.literals_.back().empty()) {
      return refuse("two expressions need text between them");
    }
    const std::size_t close = text.find('}', open);
    if (text[open] == '}' || close == std::string_view::npos) return refuse("a brace has no match");
    const std::string_view name = text.substr(open + 1, close - open - 1);
    if (!is_name(name)) return refuse("an expression is a name of A-Z a-z 0-9 _ (level 1)");
    if (made.has(name)) return refuse("a name may be there once");
    if (made.names_.size() == kMaxNames) return refuse("has more than 16 expressions");
    made.names_.emplace_back(name);
    text.remove_prefix(close + 1);
  }
}

bool UriTemplate::has(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

std::optional<UriVariables> UriTemplate::match(std::string_view uri) const {
  if (uri.size() > kMaxUri || !uri.starts_with(literals_.front())) return std::nullopt;
  uri.remove_prefix(literals_.front().size());
  UriVariables values;
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const std::string& after = literals_[i + 1];
    const bool last = i + 1 == names_.size();
    if (last && !uri.ends_with(after)) return std::nullopt;
    const std::size_t end = last ? uri.size() - after.size() : uri.find(after, 1);
    if (end == std::string_view::npos) return std::nullopt;
    auto value = decode_value(uri.substr(0, end));
    if (!value) return std::nullopt;
    values.emplace(names_[i], std::move(*value));
    uri.remove_prefix(end + after.size());
  }
  if (!uri.empty()) return std::nullopt;
  return values;
}

}  // namespace mahavishnu::mcp
