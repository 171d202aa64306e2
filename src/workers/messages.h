// What the server and a shim tell each other, as values, and their frames.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "domain/events.h"
#include "domain/ports.h"
#include "workers/wire.h"

namespace mahavishnu::workers {

using domain::AttemptEnded;
using domain::AttemptOrder;
using domain::Fence;
using domain::OutputStream;
using domain::Reason;

// All a shim needs to know; it inherits nothing.
struct ShimOrder {
  AttemptOrder attempt;
  base::Millis lease{0};
  std::string run_dir;
  std::string node;
  std::string spare;  // what it may use again (spares.h), or ""
};

struct ReadRequest {
  std::uint64_t id = 0;
  OutputStream view = OutputStream::All;
  std::int64_t offset = 0;  // < 0: the last `max` bytes
  std::uint64_t max = 0;
};

// A part of one view of the kept output, as it was produced (raw bytes).
struct OutputSlice {
  std::string raw;
  std::string runs;  // whose bytes they are (print_runs); not on the wire
  std::uint64_t begin = 0;
  bool at_end = false;  // nothing of the view is behind it at the moment
  std::uint64_t dropped = 0;
};

std::string encode_order(const ShimOrder& order);
std::optional<ShimOrder> decode_order(std::string_view body);
std::string encode_stop(Reason why);
std::string encode_read(const ReadRequest& request);
std::optional<ReadRequest> decode_read(std::string_view body);
std::string encode_slice(std::uint64_t id, const OutputSlice& slice);
std::optional<OutputSlice> decode_slice(std::string_view body, std::uint64_t& id);
std::string encode_end(const AttemptEnded& end);
std::optional<AttemptEnded> decode_end(std::string_view body);  // text made valid UTF-8

// "<epoch>-<counter>": names an attempt's files.
std::string fence_name(Fence fence);

// "<task>.<attempt>.<epoch>-<counter>": MAHAVISHNU_ATTEMPT of everything the attempt starts.
std::string attempt_mark(domain::TaskId task, std::uint32_t attempt, Fence fence);

}  // namespace mahavishnu::workers
