#include "net/line_framer.h"

#include <algorithm>
#include <cstring>

namespace mahavishnu::net {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kLeastRoom = 16 * 1024;  // less than this is not worth a system call

bool is_blank(std::string_view line) {
  return line.empty() || line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

std::span<char> LineFramer::space() {
  if (begin_ == end_) {
    begin_ = scanned_ = end_ = 0;
    if (capacity_ > kReadBytes) {  // a long message has gone through: give its memory back
      bytes_.reset();
      capacity_ = 0;
    }
  }
  if (capacity_ - end_ < kLeastRoom && begin_ > 0) {
    std::memmove(bytes_.get(), bytes_.get() + begin_, end_ - begin_);
    scanned_ -= begin_;
    end_ -= begin_;
    begin_ = 0;
  }
  if (capacity_ - end_ < kLeastRoom) {
    const std::size_t larger = std::max(kReadBytes, capacity_ * 2);
    auto moved = std::make_unique_for_overwrite<char[]>(larger);
    if (end_ > 0) std::memcpy(moved.get(), bytes_.get(), end_);
    bytes_ = std::move(moved);
    capacity_ = larger;
  }
  return {bytes_.get() + end_, capacity_ - end_};
}

LineFramer::Found LineFramer::next(std::string_view& line) {
  while (begin_ < end_) {
    const char* from = bytes_.get() + scanned_;
    const auto* newline = static_cast<const char*>(std::memchr(from, '\n', end_ - scanned_));
    if (newline == nullptr) break;
    const auto at = static_cast<std::size_t>(newline - bytes_.get());
    const Found found = take(at, at + 1, line);
    if (found != Found::Nothing) return found;
  }
  return without_newline(line);
}

// Nothing: it was blank.
LineFramer::Found LineFramer::take(std::size_t line_end, std::size_t next_begin,
                                   std::string_view& line) {
  line = {bytes_.get() + begin_, line_end - begin_};
  begin_ = scanned_ = next_begin;
  if (skipping_) {
    skipping_ = false;
    return Found::TooLong;
  }
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.size() > max_line_bytes_) return Found::TooLong;
  return is_blank(line) ? Found::Nothing : Found::Line;
}

LineFramer::Found LineFramer::without_newline(std::string_view& line) {
  scanned_ = end_;
  if (finished_ && (begin_ < end_ || skipping_)) return take(end_, end_, line);
  if (skipping_ || end_ - begin_ > max_line_bytes_ + 1) {  // + 1: a CR that is still to be dropped
    skipping_ = true;
    begin_ = end_;
  }
  return Found::Nothing;
}

}  // namespace mahavishnu::net
