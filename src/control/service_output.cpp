// Reading what a task wrote: from its shim while it runs, from the record or the spool afterwards.
#include <algorithm>
#include <utility>

#include "control/service.h"
#include "control/service_state.h"

namespace mahavishnu::control {

using domain::ErrorCode;
using domain::fail;

namespace {

// The part of `text` that belongs to `stream`, by the run lengths of TaskResult::streams.
std::string view_of(const domain::TaskResult& result, domain::OutputStream stream) {
  if (stream == domain::OutputStream::All) return result.text;
  const char wanted = stream == domain::OutputStream::Stdout ? 'o' : 'e';
  std::string view;
  std::size_t at = 0;
  for (std::size_t i = 0; i < result.streams.size();) {
    const char kind = result.streams[i++];
    std::size_t length = 0;
    while (i < result.streams.size() && result.streams[i] >= '0' && result.streams[i] <= '9') {
      length = length * 10 + static_cast<std::size_t>(result.streams[i++] - '0');
    }
    if (at >= result.text.size()) break;
    if (kind == wanted) view += result.text.substr(at, length);
    at += length;
  }
  return view;
}

domain::OutputChunk cut(std::string text, const OutputQuery& query, std::uint64_t dropped) {
  domain::OutputChunk chunk;
  const std::size_t size = text.size();
  std::size_t from = query.offset < 0 ? (size > query.max_bytes ? size - query.max_bytes : 0)
                                      : std::min(size, static_cast<std::size_t>(query.offset));
  // Never in the middle of a character, so that the text stays valid UTF-8: a tail starts after it,
  // a page before it.
  const auto inside = [&](std::size_t at) {
    return at < size && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
  };
  while (query.offset < 0 ? inside(from) : from > 0 && inside(from))
    query.offset < 0 ? ++from : --from;
  std::size_t to = std::min(size, from + query.max_bytes);
  while (to > from + 4 && inside(to)) --to;
  chunk.text = text.substr(from, to - from);
  chunk.next_offset = to;
  chunk.eof = to == size;
  chunk.dropped_bytes = dropped;
  return chunk;
}

// The spool was removed: its end, which the record has, and a line that says so, in one piece.
// Offsets counted what is gone, so none but the start means anything any more.
Result<domain::OutputChunk> what_is_left(const domain::TaskResult& result,
                                         const OutputQuery& query) {
  const std::string bytes = std::to_string(result.output_bytes) + " bytes";
  if (query.offset > 0) {
    return fail(ErrorCode::NotFound, "of this output (" + bytes +
                                         ") only the end is still kept; read it without cursor and "
                                         "offset");
  }
  const std::string line = "[… of " + bytes + " only this end is still kept …]\n";
  OutputQuery tail = query;
  tail.offset = -1;
  tail.max_bytes -= std::min(line.size(), query.max_bytes);
  auto chunk = cut(view_of(result, query.stream), tail, 0);
  chunk.dropped_bytes =
      result.output_bytes - std::min<std::uint64_t>(result.output_bytes, chunk.text.size());
  chunk.text.insert(0, line);
  return chunk;
}

}  // namespace

awaitable<Result<domain::OutputChunk>> Service::State::output_now(domain::TaskId id,
                                                                  OutputQuery query) {
  domain::Fence fence;
  const Shell::Live* live = shell.live_of(id, &fence);
  if (live != nullptr && !live->ended) {
    domain::Executor* port = live->executor;
    if (port == nullptr) co_return domain::OutputChunk{};
    auto ask = [port, fence, &query](auto callback) {
      port->read_output(fence, query.stream, query.offset, query.max_bytes, std::move(callback));
    };
    auto chunk = co_await answer_of<domain::OutputChunk>(executor, std::move(ask));
    // An attempt that ended while it was asked: its record has the output now, or soon.
    if (chunk || chunk.error().code != ErrorCode::NotFound) co_return chunk;
  }
  auto task = co_await read_task(id);
  if (!task) co_return fail(task.error());
  domain::OutputChunk nothing;
  nothing.eof = domain::is_terminal((*task)->status.state);
  if (!(*task)->result) co_return nothing;
  const domain::TaskResult& result = *(*task)->result;
  if (result.spool.empty()) {
    auto chunk = cut(view_of(result, query.stream), query, result.dropped_bytes);
    chunk.eof = chunk.eof && nothing.eof;
    co_return chunk;
  }
  const auto port = executors_by_type.find((*task)->spec->worker_type);
  if (port == executors_by_type.end())
    co_return fail(ErrorCode::Unavailable, "no executor can read the output of " + id.str());
  auto ask = [&port, &result, &query](auto callback) {
    port->second->read_spool(result.spool, query.stream, query.offset, query.max_bytes,
                             std::move(callback));
  };
  auto chunk = co_await answer_of<domain::OutputChunk>(executor, std::move(ask));
  if (!chunk && chunk.error().code == ErrorCode::NotFound) {
    chunk = what_is_left(result, query);
    if (chunk) chunk->eof = nothing.eof;
  }
  co_return chunk;
}

awaitable<Result<domain::OutputChunk>> Service::output(domain::TaskId id, OutputQuery query) {
  State& state = *state_;
  if (query.wait.count() > 0) {
    if (auto room = state.shell.watchers().room(); !room) co_return fail(room.error());
  }
  const auto until = state.deadline(query.wait);
  Watch watch(state.shell.watchers(), {{id.value, Topic::Output}, {id.value, Topic::State}});
  while (true) {
    auto chunk = co_await state.output_now(id, query);
    if (!chunk || query.wait.count() == 0 || chunk->eof || !chunk->text.empty()) co_return chunk;
    auto changed = co_await watch.changed(until);
    if (!changed) co_return fail(changed.error());
    if (!*changed) co_return chunk;
  }
}

}  // namespace mahavishnu::control
