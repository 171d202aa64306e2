// How long a text is for a model, told without its vocabulary.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace mahavishnu::tools {

// What one answer may hold at most by the estimate: 10,000 tokens, and a tenth for what it misses.
inline constexpr std::size_t kAnswerTokens = 9000;

// About as many tokens as public tokenizers (o200k, cl100k) make of the text: for JSON a fifth
// more, for a program's output 0.95 to 1.5 times as many. Pure; one pass.
std::size_t estimated_tokens(std::string_view text);

// How many bytes of a text to show instead of `shown`, with which an answer is `tokens` long. None
// when that is no longer than an answer may be, or so little that it fits, whatever it is.
std::optional<std::size_t> fewer_bytes(std::size_t shown, std::size_t tokens);

}  // namespace mahavishnu::tools
