#include "workers/output_chunk.h"

#include <algorithm>

#include "workers/result_text.h"
#include "workers/text.h"

namespace mahavishnu::workers {

std::size_t chunk_size(std::size_t max_bytes) {
  return std::clamp<std::size_t>(max_bytes, 4, kMostBytes);
}

domain::OutputChunk make_chunk(OutputSlice slice, bool from_end, bool ended) {
  if (from_end && slice.begin > 0) {
    const std::size_t rest = leading_rest(slice.raw);
    slice.raw.erase(0, rest);
    slice.begin += rest;
  }
  if (!slice.at_end || !ended) slice.raw.resize(slice.raw.size() - unfinished(slice.raw));
  domain::OutputChunk chunk;
  chunk.next_offset = slice.begin + slice.raw.size();
  chunk.text = valid_text(slice.raw);
  chunk.eof = ended && slice.at_end;
  chunk.dropped_bytes = slice.dropped;
  return chunk;
}

domain::OutputChunk chunk_of(const domain::TaskResult& result, OutputStream view,
                             std::int64_t offset, std::size_t max_bytes) {
  const std::string text = text_of(result, view);
  const std::size_t max = chunk_size(max_bytes);
  const std::size_t tail = text.size() > max ? text.size() - max : 0;
  OutputSlice slice;
  slice.begin = offset < 0 ? tail : std::min<std::uint64_t>(offset, text.size());
  slice.raw = text.substr(slice.begin, max);
  slice.at_end = slice.begin + slice.raw.size() == text.size();
  slice.dropped = result.dropped_bytes;
  return make_chunk(std::move(slice), offset < 0, true);
}

}  // namespace mahavishnu::workers
