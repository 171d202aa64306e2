// Base64 as RFC 4648 has it, to the letter: two texts that decode alike would let a header and a
// body disagree. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mahavishnu::base {

std::string encode_base64(std::string_view bytes);
// With the letters for URLs and file names (§5), without padding.
std::string encode_base64url(std::string_view bytes);

// Nothing when `text` is not strictly right: padded, no foreign characters, no left-over bits.
std::optional<std::string> decode_base64(std::string_view text);

}  // namespace mahavishnu::base
