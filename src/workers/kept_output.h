// The output of one attempt as it is kept: all of it while it is small, its head and its tail when
// there is more than the limit.
//
// The first 8 KiB stay in memory (they go into the end record); beyond that everything is written
// to a spool file as frames, each tagged with its stream, in the order it was read. Of a limit L
// the tail is a ring in memory of min(L/2, 64 KiB), the head is the rest; what falls out of the
// ring is counted, and a line says how much is missing where it is missing. A disk that is full
// ends the head early and nothing else. Memory is bounded by 8 + 128 KiB whatever a program writes.
// Used by the shim, on its one thread. Reading a finished spool: read_spool(), any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "workers/descriptor.h"
#include "workers/messages.h"

namespace mahavishnu::workers {

enum class Tag : std::uint8_t { Stdout = 1, Stderr = 2, Cut = 3 };

class KeptOutput {
 public:
  // `limit` 0: none. The spool file is made when it is needed.
  KeptOutput(std::string spool_path, std::uint64_t limit);

  void add(Tag stream, std::string_view bytes);

  std::uint64_t produced() const { return produced_; }
  std::uint64_t dropped() const { return dropped_[0] + dropped_[1]; }

  // `offset` counts bytes of the view; < 0: its last `max` bytes. Once something was dropped, what
  // is behind the head moves until the end.
  OutputSlice read(OutputStream view, std::int64_t offset, std::size_t max) const;

  // Writes the tail behind the head and fills the output's part of `result`, its text still raw.
  // Call once, last. The spool is left behind when it holds more than the text does.
  void finish(domain::TaskResult& result);

 private:
  void keep(Tag stream, std::string_view bytes);
  bool write_spool(std::string_view frames);
  bool open_spool();
  void roll(Tag stream, std::string_view bytes);
  void evict(std::size_t count);
  std::string tail_frames() const;
  std::uint64_t size_of(OutputStream view) const;

  std::string spool_path_;
  std::uint64_t head_limit_;
  std::size_t ring_limit_;
  std::string memory_;          // frames, until the spool is open
  std::size_t last_frame_ = 0;  // where the last frame of memory_ begins
  Descriptor spool_;
  std::uint64_t spool_size_ = 0;
  std::uint64_t head_[2] = {0, 0};     // kept in the head, by stream
  std::uint64_t dropped_[2] = {0, 0};  // by stream
  std::uint64_t produced_ = 0;
  std::string ring_;       // bytes, empty until the head is full
  std::string ring_tags_;  // their streams
  std::size_t ring_begin_ = 0;
  std::size_t ring_size_ = 0;
  std::uint64_t in_ring_[2] = {0, 0};
};

// A part of a finished attempt's output. NotFound when the file is gone.
base::Result<OutputSlice> read_spool(const std::string& path, OutputStream view,
                                     std::int64_t offset, std::size_t max);

}  // namespace mahavishnu::workers
