#include "control/turns.h"

#include <vector>

namespace mahavishnu::control {
namespace {

base::Ulid key_of(std::uint64_t ticket) { return {1, ticket}; }

}  // namespace

void Turns::wake(Key key, std::size_t most) {
  const auto found = lines_.find(key);
  if (found == lines_.end()) return;
  Line& line = found->second;
  while (!line.waiting.empty() && line.woken < most) {
    Turn* first = line.waiting.front();
    line.waiting.pop_front();
    ++line.woken;
    first->place_.reset();
    watchers_.notify(key_of(first->ticket_));  // resumes it later, not inside
  }
}

void Turns::offer_all(int kind) {
  std::vector<Key> keys;
  for (auto line = lines_.lower_bound({kind, 0}); line != lines_.end() && line->first.first == kind;
       ++line) {
    keys.push_back(line->first);
  }
  for (const Key& key : keys) offer_(key);
}

Turn::Turn(Turns& turns, Turns::Key key)
    : turns_(turns),
      line_(turns.lines_.try_emplace(key).first),
      ticket_(turns.next_ticket_++),
      watch_(turns.watchers_, {{key_of(ticket_)}}) {
  auto& waiting = line_->second.waiting;
  place_ = waiting.insert(waiting.end(), this);
}

Turn::~Turn() {
  Turns::Line& line = line_->second;
  const bool passed_on = !place_;
  if (place_) {
    line.waiting.erase(*place_);
  } else {
    --line.woken;
  }
  const Turns::Key key = line_->first;
  if (line.waiting.empty() && line.woken == 0) {
    turns_.lines_.erase(line_);
  } else if (passed_on) {
    turns_.offer_(key);
  }
}

base::awaitable<base::Result<bool>> Turn::wait(base::MonoTime until) {
  Turns::Line& line = line_->second;
  if (!place_) {  // its turn brought nothing
    --line.woken;
    place_ = line.waiting.insert(line.waiting.begin(), this);
  }
  co_return co_await watch_.changed(until);
}

}  // namespace mahavishnu::control
