#include "tools/token_estimate.h"

#include <algorithm>

namespace mahavishnu::tools {
namespace {

// Tokenizers cut where the kind of character changes, before they look for known pieces.
enum class Kind { Lower, Upper, Digit, Space, Foreign, Other };

Kind kind_of(char c) {
  if (c >= 'a' && c <= 'z') return Kind::Lower;
  if (c >= 'A' && c <= 'Z') return Kind::Upper;
  if (c >= '0' && c <= '9') return Kind::Digit;
  if (c == ' ') return Kind::Space;
  return static_cast<unsigned char>(c) >= 0x80 ? Kind::Foreign : Kind::Other;
}

std::size_t shared_out(std::size_t length, std::size_t each) { return (length + each - 1) / each; }

// Tokens of so many characters of one kind; `next` is what follows them.
std::size_t tokens_of(Kind kind, std::size_t length, Kind next) {
  constexpr std::size_t kShortWord = 6;
  switch (kind) {
    case Kind::Lower:
      return length > kShortWord ? shared_out(length, 4) : 1;
    case Kind::Digit:
      return shared_out(length, 3);
    case Kind::Space:  // one belongs to the word behind it, but never to a number
      return length == 1 && next != Kind::Digit ? 0 : 1;
    case Kind::Upper:
    case Kind::Foreign:
    case Kind::Other:
      break;
  }
  return shared_out(length, 2);
}

}  // namespace

std::size_t estimated_tokens(std::string_view text) {
  std::size_t tokens = 0;
  for (std::size_t at = 0; at < text.size();) {
    const Kind kind = kind_of(text[at]);
    std::size_t end = at + 1;
    while (end < text.size() && kind_of(text[end]) == kind) ++end;
    tokens += tokens_of(kind, end - at, end < text.size() ? kind_of(text[end]) : kind);
    at = end;
  }
  return tokens;
}

std::optional<std::size_t> fewer_bytes(std::size_t shown, std::size_t tokens) {
  constexpr std::size_t kFits = 1024;
  if (tokens <= kAnswerTokens || shown <= kFits) return std::nullopt;
  return std::max(shown * kAnswerTokens / tokens * 15 / 16, kFits);
}

}  // namespace mahavishnu::tools
