#include "workers/kept_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "workers/frames_view.h"

namespace mahavishnu::workers {
namespace {

constexpr std::size_t kMemory = kTextBytes;  // what fits is told by the end record alone
constexpr std::size_t kRing = 65536;
constexpr std::uint64_t kNone = std::numeric_limits<std::uint64_t>::max();

std::size_t index_of(Tag stream) { return stream == Tag::Stderr ? 1 : 0; }

std::uint64_t of_view(const std::uint64_t (&streams)[2], OutputStream view) {
  if (view == OutputStream::All) return streams[0] + streams[1];
  return streams[view == OutputStream::Stderr ? 1 : 0];
}

// Where a read with a negative offset begins.
std::uint64_t begin_of(std::int64_t offset, std::size_t max, std::uint64_t size) {
  if (offset >= 0) return static_cast<std::uint64_t>(offset);
  return size > max ? size - max : 0;
}

}  // namespace

KeptOutput::KeptOutput(std::string spool_path, std::uint64_t limit)
    : spool_path_(std::move(spool_path)),
      head_limit_(kNone),
      ring_limit_(static_cast<std::size_t>(std::min<std::uint64_t>(
          limit == 0 ? kRing : std::max<std::uint64_t>(limit / 2, 1), kRing))) {
  if (limit != 0) head_limit_ = limit > ring_limit_ ? limit - ring_limit_ : 0;
}

void KeptOutput::add(Tag stream, std::string_view bytes) {
  produced_ += bytes.size();
  while (!bytes.empty()) {
    const std::uint64_t room = head_limit_ - std::min(head_limit_, head_[0] + head_[1]);
    if (room == 0) return roll(stream, bytes);
    const auto part = bytes.substr(0, std::min<std::uint64_t>({room, bytes.size(), kLongestFrame}));
    const std::uint64_t before = head_[index_of(stream)];
    keep(stream, part);
    // Not kept: the disk is full, and head_limit_ has been lowered to what there is.
    if (head_[index_of(stream)] != before) bytes.remove_prefix(part.size());
  }
}

// One part into the head: in memory, growing the last frame where it can, or in the spool.
void KeptOutput::keep(Tag stream, std::string_view bytes) {
  const bool fits = !spool_ && head_[0] + head_[1] + bytes.size() <= kMemory;
  if (fits) {
    if (!memory_.empty() && frame_tag(&memory_[last_frame_]) == stream) {
      const std::size_t length = frame_length(&memory_[last_frame_]) + bytes.size();
      memory_.replace(last_frame_, kFrameHead, frame_head(stream, length));
    } else {
      last_frame_ = memory_.size();
      memory_ += frame_head(stream, bytes.size());
    }
    memory_ += bytes;
  } else {
    std::string frame = frame_head(stream, bytes.size());
    frame += bytes;
    if (!open_spool() || !write_spool(frame)) {
      head_limit_ = head_[0] + head_[1];
      return;
    }
  }
  head_[index_of(stream)] += bytes.size();
}

bool KeptOutput::open_spool() {
  if (spool_) return true;
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC;
  spool_.reset(::open(spool_path_.c_str(), flags, 0600));
  if (!spool_) return false;
  if (!write_spool(memory_)) {
    spool_.reset();
    ::unlink(spool_path_.c_str());
    return false;
  }
  memory_ = std::string();
  return true;
}

bool KeptOutput::write_spool(std::string_view frames) {
  std::size_t done = 0;
  while (done < frames.size()) {
    const ssize_t written = ::write(spool_.get(), frames.data() + done, frames.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      // A frame is whole or not there; a reader stops at half a frame, should even this fail.
      [[maybe_unused]] const int cut = ::ftruncate(spool_.get(), static_cast<off_t>(spool_size_));
      return false;
    }
    done += static_cast<std::size_t>(written);
  }
  spool_size_ += frames.size();
  return true;
}

// Into the ring, the oldest bytes out of it.
void KeptOutput::roll(Tag stream, std::string_view bytes) {
  if (ring_.empty()) {
    ring_.resize(ring_limit_);
    ring_tags_.resize(ring_limit_);
  }
  if (bytes.size() > ring_limit_) {
    const std::size_t gone = bytes.size() - ring_limit_;
    dropped_[index_of(stream)] += gone;
    bytes.remove_prefix(gone);
  }
  const std::size_t room = ring_limit_ - ring_size_;
  if (bytes.size() > room) evict(bytes.size() - room);
  in_ring_[index_of(stream)] += bytes.size();
  while (!bytes.empty()) {
    const std::size_t at = (ring_begin_ + ring_size_) % ring_limit_;
    const std::size_t part = std::min(bytes.size(), ring_limit_ - at);
    ring_.replace(at, part, bytes.substr(0, part));
    ring_tags_.replace(at, part, part, static_cast<char>(stream));
    ring_size_ += part;
    bytes.remove_prefix(part);
  }
}

void KeptOutput::evict(std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    const auto tag = static_cast<Tag>(ring_tags_[(ring_begin_ + i) % ring_limit_]);
    ++dropped_[index_of(tag)];
    --in_ring_[index_of(tag)];
  }
  ring_begin_ = (ring_begin_ + count) % ring_limit_;
  ring_size_ -= count;
}

// The tail as frames, the line about what is missing first.
std::string KeptOutput::tail_frames() const {
  std::string frames;
  if (dropped() > 0) frames = cut_frame(dropped_[0], dropped_[1]);
  std::string run;
  for (std::size_t done = 0; done < ring_size_;) {
    const char tag = ring_tags_[(ring_begin_ + done) % ring_limit_];
    run.clear();
    while (done < ring_size_ && run.size() < kLongestFrame) {
      const std::size_t at = (ring_begin_ + done) % ring_limit_;
      if (ring_tags_[at] != tag) break;
      run.push_back(ring_[at]);
      ++done;
    }
    frames += frame_head(static_cast<Tag>(tag), run.size()) + run;
  }
  return frames;
}

std::uint64_t KeptOutput::size_of(OutputStream view) const {
  const std::string cut = cut_frame(dropped_[0], dropped_[1]);
  return of_view(head_, view) + of_view(in_ring_, view) +
         cut_line(view, std::string_view(cut).substr(kFrameHead)).size();
}

OutputSlice KeptOutput::read(OutputStream view, std::int64_t offset, std::size_t max) const {
  ViewWindow window(view, begin_of(offset, max, size_of(view)), max);
  if (spool_) {
    pass_file(spool_.get(), spool_size_, window);
  } else {
    pass_frames(memory_, window);
  }
  pass_frames(tail_frames(), window);
  return std::move(window).slice();
}

void KeptOutput::finish(domain::TaskResult& result) {
  const std::uint64_t size = size_of(OutputStream::All);
  OutputSlice end = read(OutputStream::All, -1, kMemory);
  result.text = std::move(end.raw);
  result.streams = std::move(end.runs);
  result.truncated = dropped() > 0 || size > kMemory;
  result.output_bytes = produced_;
  if (size > kMemory && open_spool()) {
    result.spool = spool_path_;
    if (!write_spool(tail_frames())) dropped_[0] += ring_size_;
  } else if (size > kMemory) {
    // The disk is full: only what is in the text is left.
    dropped_[0] = produced_ - std::min<std::uint64_t>(produced_, result.text.size());
    dropped_[1] = 0;
  }
  result.dropped_bytes = dropped();
}

base::Result<OutputSlice> read_spool(const std::string& path, OutputStream view,
                                     std::int64_t offset, std::size_t max) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file || ::fstat(file.get(), &status) != 0) {
    const bool gone = errno == ENOENT;
    return base::fail(gone ? base::ErrorCode::NotFound : base::ErrorCode::Unavailable,
                      "the kept output " + path + " cannot be read: " + std::strerror(errno));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  std::uint64_t view_size = 0;
  if (offset < 0) {
    ViewWindow all(view, kNone, 0);
    pass_file(file.get(), size, all);
    view_size = all.passed();
  }
  ViewWindow window(view, begin_of(offset, max, view_size), max);
  pass_file(file.get(), size, window);
  return std::move(window).slice();
}

}  // namespace mahavishnu::workers
