#include "tools/output_cursor.h"

#include <charconv>

namespace mahavishnu::tools {

std::string position_text(std::string_view word, std::uint64_t position) {
  return std::string(word) + ":" + std::to_string(position);
}

base::Result<std::uint64_t> parse_position(std::string_view word, std::string_view text) {
  constexpr std::uint64_t kMost = 1ULL << 53U;
  std::uint64_t position = 0;
  if (text.starts_with(word) && text.substr(word.size()).starts_with(':')) {
    const std::string_view digits = text.substr(word.size() + 1);
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), position);
    if (error == std::errc() && end == digits.data() + digits.size() && position <= kMost)
      return position;
  }
  return base::fail(
      base::ErrorCode::InvalidArgument,
      "cursor: not one of this list; pass the next_cursor of its last answer, or none");
}

std::string_view to_string(domain::OutputStream stream) {
  switch (stream) {
    case domain::OutputStream::All:
      return "all";
    case domain::OutputStream::Stdout:
      return "stdout";
    case domain::OutputStream::Stderr:
      return "stderr";
  }
  return "all";
}

std::optional<domain::OutputStream> parse_stream(std::string_view word) {
  using domain::OutputStream;
  for (const auto stream : {OutputStream::All, OutputStream::Stdout, OutputStream::Stderr}) {
    if (to_string(stream) == word) return stream;
  }
  return std::nullopt;
}

std::string output_cursor(domain::OutputStream stream, std::uint64_t offset) {
  return position_text(to_string(stream), offset);
}

base::Result<OutputPlace> parse_output_cursor(std::string_view text) {
  const std::string_view word = text.substr(0, text.find(':'));
  const auto offset = parse_position(word, text);
  const auto stream = parse_stream(word);
  if (!offset) return base::fail(offset.error());
  if (!stream) return base::fail(parse_position("all", "").error());
  return OutputPlace{*stream, static_cast<std::int64_t>(*offset)};
}

}  // namespace mahavishnu::tools
