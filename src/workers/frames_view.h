// One view (all, stdout or stderr) of a sequence of output frames, and a window of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "workers/kept_output.h"
#include "workers/result_text.h"

namespace mahavishnu::workers {

inline constexpr std::size_t kFrameHead = 4;  // u8 tag, u24 length
inline constexpr std::size_t kLongestFrame = 65536;

std::string frame_head(Tag tag, std::size_t length);
Tag frame_tag(const char* head);
std::size_t frame_length(const char* head);

bool shows(OutputStream view, Tag tag);

// A frame that says what is missing: the bytes of stdout and of stderr.
std::string cut_frame(std::uint64_t from_stdout, std::uint64_t from_stderr);
// How many bytes of the view are missing, and the line that says so (empty when none are).
std::uint64_t cut_bytes(OutputStream view, std::string_view cut_body);
std::string cut_line(OutputStream view, std::string_view cut_body);

// Collects [begin, begin + max) of a view while its frames pass by in order.
class ViewWindow {
 public:
  ViewWindow(OutputStream view, std::uint64_t begin, std::size_t max);

  // Whether the body of such a frame is wanted; if not, it counts as passed.
  bool wants(Tag tag, std::size_t length);
  void add(Tag tag, std::string_view body);

  std::uint64_t passed() const { return position_; }
  OutputSlice slice() &&;

 private:
  OutputStream view_;
  std::uint64_t begin_;
  std::size_t max_;
  std::uint64_t position_ = 0;
  std::uint64_t dropped_ = 0;
  std::string raw_;
  std::vector<Run> runs_;
};

// Passes the frames of an open spool file, up to `size` bytes of it, through the window.
void pass_file(int file, std::uint64_t size, ViewWindow& window);
void pass_frames(std::string_view frames, ViewWindow& window);

}  // namespace mahavishnu::workers
