// Cursors of the tools' own making: a word and a place, "stdout:16384". Opaque to callers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "domain/ports.h"

namespace mahavishnu::tools {

std::string position_text(std::string_view word, std::uint64_t position);
// InvalidArgument when the text is not one of position_text(word, …).
base::Result<std::uint64_t> parse_position(std::string_view word, std::string_view text);

std::string_view to_string(domain::OutputStream stream);
std::optional<domain::OutputStream> parse_stream(std::string_view word);

struct OutputPlace {
  domain::OutputStream stream = domain::OutputStream::All;
  std::int64_t offset = 0;
};
std::string output_cursor(domain::OutputStream stream, std::uint64_t offset);
base::Result<OutputPlace> parse_output_cursor(std::string_view text);

}  // namespace mahavishnu::tools
