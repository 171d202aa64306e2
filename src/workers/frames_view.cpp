#include "workers/frames_view.h"

#include <unistd.h>

#include <algorithm>
#include <vector>

namespace mahavishnu::workers {

std::string frame_head(Tag tag, std::size_t length) {
  return {static_cast<char>(tag), static_cast<char>(length & 0xFFU),
          static_cast<char>((length >> 8U) & 0xFFU), static_cast<char>((length >> 16U) & 0xFFU)};
}

Tag frame_tag(const char* head) { return static_cast<Tag>(head[0]); }

std::size_t frame_length(const char* head) {
  const auto byte = [head](int at) {
    return static_cast<std::size_t>(static_cast<unsigned char>(head[at]));
  };
  return byte(1) | byte(2) << 8U | byte(3) << 16U;
}

bool shows(OutputStream view, Tag tag) {
  if (view == OutputStream::All) return true;
  return tag == (view == OutputStream::Stdout ? Tag::Stdout : Tag::Stderr);
}

std::string cut_frame(std::uint64_t from_stdout, std::uint64_t from_stderr) {
  const std::string body = Writer().number(from_stdout).number(from_stderr).take();
  return frame_head(Tag::Cut, body.size()) + body;
}

std::uint64_t cut_bytes(OutputStream view, std::string_view cut_body) {
  Reader in(cut_body);
  const std::uint64_t from_stdout = in.number();
  const std::uint64_t from_stderr = in.number();
  if (view == OutputStream::Stdout) return from_stdout;
  if (view == OutputStream::Stderr) return from_stderr;
  return from_stdout + from_stderr;
}

std::string cut_line(OutputStream view, std::string_view cut_body) {
  const std::uint64_t bytes = cut_bytes(view, cut_body);
  return bytes == 0 ? "" : "\n[… " + std::to_string(bytes) + " bytes cut …]\n";
}

ViewWindow::ViewWindow(OutputStream view, std::uint64_t begin, std::size_t max)
    : view_(view), begin_(begin), max_(max) {}

bool ViewWindow::wants(Tag tag, std::size_t length) {
  if (tag == Tag::Cut) return true;  // its text depends on the view, and it carries a count
  if (!shows(view_, tag)) return false;
  if (position_ + length > begin_ && raw_.size() < max_) return true;
  position_ += length;
  return false;
}

void ViewWindow::add(Tag tag, std::string_view body) {
  std::string line;
  if (tag == Tag::Cut) {
    dropped_ = cut_bytes(view_, body);
    line = cut_line(view_, body);
    body = line;
  }
  const std::uint64_t at = position_;
  position_ += body.size();
  if (position_ <= begin_) return;
  if (at < begin_) body.remove_prefix(begin_ - at);
  body = body.substr(0, max_ - raw_.size());
  raw_.append(body);
  add_run(runs_, tag == Tag::Stderr ? 'e' : 'o', body.size());
}

OutputSlice ViewWindow::slice() && {
  OutputSlice slice;
  slice.begin = std::min(begin_, position_);
  slice.at_end = slice.begin + raw_.size() >= position_;
  slice.dropped = dropped_;
  slice.raw = std::move(raw_);
  slice.runs = print_runs(runs_);
  return slice;
}

void pass_frames(std::string_view frames, ViewWindow& window) {
  while (frames.size() >= kFrameHead) {
    const Tag tag = frame_tag(frames.data());
    const std::size_t length = frame_length(frames.data());
    frames.remove_prefix(kFrameHead);
    if (length > frames.size()) return;
    if (window.wants(tag, length)) window.add(tag, frames.substr(0, length));
    frames.remove_prefix(length);
  }
}

void pass_file(int file, std::uint64_t size, ViewWindow& window) {
  std::vector<char> buffer(kFrameHead + kLongestFrame);
  std::uint64_t at = 0;    // of the next frame
  std::uint64_t base = 0;  // of the buffer in the file
  std::size_t filled = 0;
  // The frame's bytes, read ahead by a whole buffer when they are not there; null at the end.
  const auto bytes = [&](std::size_t count) -> const char* {
    if (at + count > size) return nullptr;
    if (at < base || at + count > base + filled) {
      const auto want = std::min<std::uint64_t>(buffer.size(), size - at);
      const ssize_t got = ::pread(file, buffer.data(), want, static_cast<off_t>(at));
      base = at;
      filled = got > 0 ? static_cast<std::size_t>(got) : 0;
      if (filled < count) return nullptr;
    }
    return buffer.data() + (at - base);
  };
  while (const char* head = bytes(kFrameHead)) {
    const Tag tag = frame_tag(head);
    const std::size_t length = frame_length(head);
    if (length > kLongestFrame) return;
    if (window.wants(tag, length)) {
      const char* frame = bytes(kFrameHead + length);
      if (frame == nullptr) return;
      window.add(tag, {frame + kFrameHead, length});
    }
    at += kFrameHead + length;
  }
}

}  // namespace mahavishnu::workers
