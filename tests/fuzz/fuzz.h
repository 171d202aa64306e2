// What every fuzz target shares. A target is one file that defines `fuzz`, and one line in
// meson.build; it checks what must be true of any input, by `expect`, besides not crashing.
//
// Nothing here knows Asio: clang 14 cannot compile coroutines of it.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace mahavishnu::fuzzing {

// One input. Ends by abort when something that must be true is not.
void fuzz(std::string_view input);

inline void expect(bool true_one, const char* what) {
  if (true_one) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Takes the first byte off `input`, for a choice that is the input's: 0 when there is none.
inline std::uint8_t take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<std::uint8_t>(input.front());
  input.remove_prefix(1);
  return byte;
}

}  // namespace mahavishnu::fuzzing
