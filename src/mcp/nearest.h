// "Did you mean …?": the known word that someone most likely meant. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mahavishnu::mcp {

// The candidate with the smallest edit distance to `word`, the first of equals; nothing when none
// is near (more than a third of the word's letters, and more than two, would have to change).
std::optional<std::string_view> nearest(std::string_view word,
                                        const std::vector<std::string_view>& candidates);

// `; did you mean "X"?`, or "" when nothing is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates);

// `"text"`, cut at 60 bytes, for messages that quote what came.
std::string in_quotes(std::string_view text);

}  // namespace mahavishnu::mcp
