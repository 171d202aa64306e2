// What simdjson's DOM does not keep of a number: its text, and that it was JSON although no 64-bit
// integer or double holds it. Slow paths only; plain text in, plain text out; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mahavishnu::rpc {

struct OutsizedNumbers {
  std::string first;      // the first such number as it was written, shortened
  std::string sane_text;  // the text with a 0 in place of every one of them
};

// Finds numbers that JSON's grammar allows and that neither 64 bits nor a finite double can hold;
// nullopt when there is none. `text` need not be JSON: what is no number is left as it is.
std::optional<OutsizedNumbers> find_outsized_numbers(std::string_view text);

// The number of member "id" exactly as message `index` (0 when there is no batch) wrote it.
// Requires valid JSON. Empty when it is not found (a key written with escapes, say).
std::string_view raw_id(std::string_view text, bool batch, std::size_t index);

}  // namespace mahavishnu::rpc
