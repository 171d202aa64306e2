// net/line_framer. For every stream: its lines are those of a naive split, with the limit kept, and
// the same in parts of any size.
#include <algorithm>
#include <cstring>
#include <vector>

#include "fuzz.h"
#include "net/line_framer.h"

namespace mahavishnu::fuzzing {
namespace {

using net::LineFramer;

constexpr const char* kTooLong = "\n";  // which no line is

void take_all(LineFramer& framer, std::vector<std::string>& lines) {
  for (;;) {
    std::string_view line;
    const auto found = framer.next(line);
    if (found == LineFramer::Found::Nothing) return;
    lines.emplace_back(found == LineFramer::Found::TooLong ? std::string_view(kTooLong) : line);
  }
}

std::vector<std::string> framed(std::string_view stream, std::size_t limit, std::size_t part) {
  LineFramer framer(limit);
  std::vector<std::string> lines;
  while (!stream.empty()) {
    const auto room = framer.space();
    const auto size = std::min({part, room.size(), stream.size()});
    expect(size > 0, "there is room for a byte");
    std::memcpy(room.data(), stream.data(), size);
    framer.received(size);
    stream.remove_prefix(size);
    take_all(framer, lines);
  }
  framer.finish();
  take_all(framer, lines);
  return lines;
}

std::vector<std::string> by_the_book(std::string_view stream, std::size_t limit) {
  std::vector<std::string> lines;
  while (!stream.empty()) {
    const auto end = std::min(stream.find('\n'), stream.size());
    std::string_view line = stream.substr(0, end);
    stream.remove_prefix(std::min(end + 1, stream.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > limit) {
      lines.emplace_back(kTooLong);
    } else if (line.find_first_not_of(" \t\r") != line.npos) {
      lines.emplace_back(line);
    }
  }
  return lines;
}

}  // namespace

void fuzz(std::string_view input) {
  const std::size_t limit = take_byte(input);
  const std::size_t part = 1U + take_byte(input);
  const auto expected = by_the_book(input, limit);
  expect(framed(input, limit, input.size() + 1) == expected, "the lines are those of the stream");
  expect(framed(input, limit, part) == expected, "parts make the same lines");
}

}  // namespace mahavishnu::fuzzing
