// Output as people and JSON can have it: whatever a program wrote, made valid UTF-8.
//
// What is no character, and NUL, becomes U+FFFD, one for each byte that does not fit; the kept
// output itself stays raw, so nothing is lost by reading it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mahavishnu::workers {

std::string valid_text(std::string_view raw);

// The end of it, at most `max` bytes, cut between characters.
std::string last_valid_text(std::string_view raw, std::size_t max);

// How many bytes at the end are the beginning of a character whose rest may still come (0 … 3).
std::size_t unfinished(std::string_view raw);

// How many bytes at the start belong to a character that began before it (0 … 3).
std::size_t leading_rest(std::string_view raw);

}  // namespace mahavishnu::workers
