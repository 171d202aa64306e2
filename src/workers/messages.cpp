#include "workers/messages.h"

#include "workers/result_text.h"
#include "workers/text.h"

namespace mahavishnu::workers {
namespace {

std::uint64_t count(base::Millis millis) { return static_cast<std::uint64_t>(millis.count()); }

base::Millis millis(Reader& in) { return base::Millis(static_cast<std::int64_t>(in.number())); }

void put(Writer& out, const domain::Work& work) {
  out.text(work.command).number(work.argv.size());
  for (const auto& word : work.argv) out.text(word);
  out.text(work.stdin_text).number(work.env.size());
  for (const auto& [name, value] : work.env) out.text(name).text(value);
  out.text(work.verify);
  out.number(work.limits.memory_bytes).number(work.limits.cpu_ms);
  out.number(work.limits.output_bytes).number(work.limits.processes);
}

void get(Reader& in, domain::Work& work) {
  work.command = in.text();
  for (auto left = in.number(); left > 0 && in.good(); --left) work.argv.push_back(in.text());
  work.stdin_text = in.text();
  for (auto left = in.number(); left > 0 && in.good(); --left) {
    std::string name = in.text();
    work.env[std::move(name)] = in.text();
  }
  work.verify = in.text();
  work.limits.memory_bytes = in.number();
  work.limits.cpu_ms = in.number();
  work.limits.output_bytes = in.number();
  work.limits.processes = in.number();
}

// A number that may be absent: 0, or the number behind a 1.
void put(Writer& out, const std::optional<int>& value) {
  out.number(value ? 1 : 0).number(static_cast<std::uint64_t>(value.value_or(0)));
}

std::optional<int> get_optional(Reader& in) {
  const bool there = in.number() != 0;
  const int value = static_cast<int>(in.number());
  return there ? std::optional<int>(value) : std::nullopt;
}

}  // namespace

std::string encode_order(const ShimOrder& order) {
  const AttemptOrder& a = order.attempt;
  Writer out;
  out.number(a.task.value.high).number(a.task.value.low).number(a.attempt);
  out.number(a.fence.epoch).number(a.fence.counter);
  put(out, a.work);
  out.text(a.cwd);
  out.number(count(a.timeouts.idle)).number(count(a.timeouts.run));
  out.number(count(a.total_left)).number(count(a.grace));
  out.number(count(order.lease)).text(order.run_dir).text(order.node);
  out.text(order.spare).number(a.calls_tool ? 1 : 0);
  return encode(Kind::Order, out.take());
}

std::optional<ShimOrder> decode_order(std::string_view body) {
  Reader in(body);
  ShimOrder order;
  AttemptOrder& a = order.attempt;
  a.task.value.high = in.number();
  a.task.value.low = in.number();
  a.attempt = static_cast<std::uint32_t>(in.number());
  a.fence.epoch = in.number();
  a.fence.counter = in.number();
  get(in, a.work);
  a.cwd = in.text();
  a.timeouts.idle = millis(in);
  a.timeouts.run = millis(in);
  a.total_left = millis(in);
  a.grace = millis(in);
  order.lease = millis(in);
  order.run_dir = in.text();
  order.node = in.text();
  order.spare = in.text();
  a.calls_tool = in.number() != 0;
  if (!in.good()) return std::nullopt;
  return order;
}

std::string encode_stop(Reason why) {
  return encode(Kind::Stop, Writer().number(static_cast<std::uint64_t>(why)).take());
}

std::string encode_read(const ReadRequest& request) {
  Writer out;
  out.number(request.id).number(static_cast<std::uint64_t>(request.view));
  out.number(static_cast<std::uint64_t>(request.offset)).number(request.max);
  return encode(Kind::Read, out.take());
}

std::optional<ReadRequest> decode_read(std::string_view body) {
  Reader in(body);
  ReadRequest request;
  request.id = in.number();
  request.view = static_cast<OutputStream>(in.number());
  request.offset = static_cast<std::int64_t>(in.number());
  request.max = in.number();
  if (!in.good()) return std::nullopt;
  return request;
}

std::string encode_slice(std::uint64_t id, const OutputSlice& slice) {
  Writer out;
  out.number(id).number(slice.begin).number(slice.at_end ? 1 : 0).number(slice.dropped);
  out.text(slice.raw);
  return encode(Kind::Slice, out.take());
}

std::optional<OutputSlice> decode_slice(std::string_view body, std::uint64_t& id) {
  Reader in(body);
  OutputSlice slice;
  id = in.number();
  slice.begin = in.number();
  slice.at_end = in.number() != 0;
  slice.dropped = in.number();
  slice.raw = in.text();
  if (!in.good()) return std::nullopt;
  return slice;
}

std::string encode_end(const AttemptEnded& end) {
  Writer out;
  out.number(end.fence.epoch).number(end.fence.counter);
  out.number(static_cast<std::uint64_t>(end.reason));
  put(out, end.exit_code);
  put(out, end.signal);
  out.number(static_cast<std::uint64_t>(end.processes_left));
  const domain::TaskResult& result = end.result;
  out.text(result.text).text(result.streams).number(result.truncated ? 1 : 0);
  out.number(result.output_bytes).number(result.dropped_bytes);
  out.text(result.spool).text(result.message).number(result.unenforced.size());
  for (const auto& limit : result.unenforced) out.text(limit);
  out.text(result.structured);
  return encode(Kind::Ended, out.take());
}

std::optional<AttemptEnded> decode_end(std::string_view body) {
  Reader in(body);
  AttemptEnded end;
  end.fence.epoch = in.number();
  end.fence.counter = in.number();
  end.reason = static_cast<Reason>(in.number());
  end.exit_code = get_optional(in);
  end.signal = get_optional(in);
  end.processes_left = static_cast<int>(in.number());
  domain::TaskResult& result = end.result;
  const std::string raw = in.text();
  set_text(result, raw, in.text());
  result.truncated = in.number() != 0;
  result.output_bytes = in.number();
  result.dropped_bytes = in.number();
  result.spool = in.text();
  result.message = valid_text(in.text());
  for (auto left = in.number(); left > 0 && in.good(); --left) {
    result.unenforced.push_back(in.text());
  }
  // A shim that was started before there was such a thing has not written it.
  if (!in.at_end()) result.structured = in.text();
  if (!in.good()) return std::nullopt;
  return end;
}

std::string fence_name(Fence fence) {
  return std::to_string(fence.epoch) + "-" + std::to_string(fence.counter);
}

std::string attempt_mark(domain::TaskId task, std::uint32_t attempt, Fence fence) {
  return task.str() + "." + std::to_string(attempt) + "." + fence_name(fence);
}

}  // namespace mahavishnu::workers
