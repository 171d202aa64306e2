#include "mcp/replay.h"

#include <charconv>
#include <utility>

#include "mcp/event_stream.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::size_t kOverhead = 128;  // of an event, beside its text

std::size_t cost(const std::string& text) { return text.size() + kOverhead; }

}  // namespace

ReplayStore::ReplayStore(const ReplayLimits& limits, std::function<base::MonoTime()> now)
    : limits_(limits), now_(std::move(now)) {}

void ReplayStore::expire() {
  const base::MonoTime now = now_();
  while (!all_.empty() && now - all_.front().at >= limits_.age) all_.front().session->drop_oldest();
}

Replay::~Replay() {
  for (const auto& [token, stream] : streams_) stream->forget_kept();
  for (const auto place : kept_) {
    store_.figures_.bytes -= cost(place->text);
    --store_.figures_.events;
    store_.all_.erase(place);
  }
}

void Replay::add(std::shared_ptr<EventStream> stream) {
  std::string token = stream->token();
  streams_.emplace(std::move(token), std::move(stream));
}

void Replay::keep(EventStream& stream, std::string text) {
  store_.expire();
  const std::size_t bytes = cost(text);
  const auto place =
      store_.all_.insert(store_.all_.end(), {this, &stream, store_.now_(), std::move(text)});
  kept_.push_back(place);
  stream.was_kept(place->text);
  bytes_ += bytes;
  store_.figures_.bytes += bytes;
  ++store_.figures_.events;
  while (kept_.size() > store_.limits_.session_events || bytes_ > store_.limits_.session_bytes) {
    ++store_.figures_.dropped;
    drop_oldest();
  }
  while (store_.figures_.bytes > store_.limits_.bytes) {
    ++store_.figures_.dropped;
    store_.all_.front().session->drop_oldest();
  }
}

// The oldest of all is also the oldest of its session, and that the oldest of its stream.
void Replay::drop_oldest() {
  const auto place = kept_.front();
  kept_.pop_front();
  EventStream& stream = *place->stream;
  stream.lost_oldest();
  const std::size_t bytes = cost(place->text);
  bytes_ -= bytes;
  store_.figures_.bytes -= bytes;
  --store_.figures_.events;
  store_.all_.erase(place);
  forget_if_over(stream);
}

void Replay::ended(EventStream& stream) { forget_if_over(stream); }

void Replay::forget_if_over(const EventStream& stream) {
  if (!stream.is_over() || stream.kept() > 0) return;
  const auto known = streams_.find(stream.token());
  if (known != streams_.end()) streams_.erase(known);
}

Replay::Place Replay::find(std::string_view event_id) {
  store_.expire();
  Place found;
  const auto dash = event_id.rfind('-');
  if (dash != std::string_view::npos) {
    const auto known = streams_.find(std::string(event_id.substr(0, dash)));
    const std::string_view digits = event_id.substr(dash + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), found.number);
    // As it was written, and no other way.
    if (known != streams_.end() && std::to_string(found.number) == digits &&
        known->second->can_go_on_after(found.number)) {
      found.stream = known->second;
    }
  }
  ++(found.stream ? store_.figures_.resumed : store_.figures_.refused);
  return found;
}

}  // namespace mahavishnu::mcp
