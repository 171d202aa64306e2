// Cuts a byte stream into messages of one line each (MCP's stdio framing), with no idea where the
// bytes come from.
//
// Blank lines are skipped, a CR before the newline is dropped, the last line may lack its newline.
// A line over the limit is skipped up to its newline without being kept. One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

namespace mahavishnu::net {

class LineFramer {
 public:
  explicit LineFramer(std::size_t max_line_bytes) : max_line_bytes_(max_line_bytes) {}

  // Where the next bytes go (64 KiB or more when all lines were taken); then how many came.
  std::span<char> space();
  void received(std::size_t bytes) { end_ += bytes; }

  // No more bytes come: what is left is the last line.
  void finish() { finished_ = true; }

  enum class Found { Line, TooLong, Nothing };
  // `line` stays valid until the next `space`.
  Found next(std::string_view& line);

  std::size_t max_line_bytes() const { return max_line_bytes_; }

 private:
  Found take(std::size_t line_end, std::size_t next_begin, std::string_view& line);
  Found without_newline(std::string_view& line);

  std::size_t max_line_bytes_;
  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;    // of what was not yet given out
  std::size_t scanned_ = 0;  // no newline in [begin_, scanned_)
  std::size_t end_ = 0;
  bool skipping_ = false;  // inside a line that is over the limit
  bool finished_ = false;
};

}  // namespace mahavishnu::net
