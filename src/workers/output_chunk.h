// What a reader gets for a slice of raw output: valid text that ends between characters.
#pragma once

#include "base/result.h"
#include "domain/ports.h"
#include "workers/messages.h"

namespace mahavishnu::workers {

inline constexpr std::size_t kMostBytes = 32768;  // of one chunk

// A character needs up to 4 bytes, so that every chunk can make progress.
std::size_t chunk_size(std::size_t max_bytes);

// `from_end`: the slice was asked for by a negative offset. `ended`: nothing more will come.
domain::OutputChunk make_chunk(OutputSlice slice, bool from_end, bool ended);

// The same of a result with no spool: then its text is all there is.
domain::OutputChunk chunk_of(const domain::TaskResult& result, OutputStream view,
                             std::int64_t offset, std::size_t max_bytes);

}  // namespace mahavishnu::workers
