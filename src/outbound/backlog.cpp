#include "outbound/backlog.h"

#include <algorithm>
#include <utility>

#include "outbound/backoff.h"

namespace mahavishnu::outbound {

using domain::OutboxOutcome;

bool Backlog::wants_page() const {
  return more_ && ready_.size() < static_cast<std::size_t>(limits_.page) &&
         due_.size() < limits_.most_waiting;
}

void Backlog::page(std::vector<domain::OutboxItem> items) {
  more_ = !items.empty();
  for (auto& item : items) {
    cursor_ = std::max(cursor_, item.seq);
    const bool known =
        under_way_.contains(item.seq) || again_.contains(item.seq) || unsettled_.contains(item.seq);
    if (!known) ready_.push_back(std::move(item));
  }
}

void Backlog::rewind() {
  ready_.clear();
  cursor_ = 0;
  more_ = true;
}

bool Backlog::has_next(base::MonoTime now) const {
  return !ready_.empty() || (!due_.empty() && due_.begin()->first <= now);
}

// What is due again goes first: it is older.
Backlog::Next Backlog::take(base::MonoTime now) {
  Next next;
  Record record;
  if (!due_.empty() && due_.begin()->first <= now) {
    next.seq = due_.begin()->second;
    due_.erase(due_.begin());
    record = again_.extract(next.seq).mapped();
  } else {
    next.seq = ready_.front().seq;
    record.tries = ready_.front().tries;
    next.item = std::move(ready_.front());
    ready_.pop_front();
  }
  record.accepted_before = accepted_;
  under_way_[next.seq] = record;
  return next;
}

Backlog::Record Backlog::end(std::int64_t seq) { return under_way_.extract(seq).mapped(); }

void Backlog::accepted(std::int64_t seq) {
  end(seq);
  unsettled_.insert(seq);
  ++accepted_;
}

void Backlog::gone(std::int64_t seq) { end(seq); }

OutboxOutcome Backlog::refused(std::int64_t seq, std::string error, base::MonoTime now,
                               double dice) {
  return count(seq, end(seq), std::move(error), now, dice);
}

std::optional<OutboxOutcome> Backlog::broke(std::int64_t seq, std::string error, base::MonoTime now,
                                            double dice) {
  Record record = end(seq);
  if (accepted_ > record.accepted_before) return count(seq, record, std::move(error), now, dice);
  ++record.repeats;
  wait(seq, record, now + delay(record, dice));
  return std::nullopt;
}

void Backlog::again(std::int64_t seq, base::MonoTime now) {
  Record record = end(seq);
  ++record.repeats;
  wait(seq, record, now);
}

int Backlog::repeats(std::int64_t seq) const {
  const auto at = under_way_.find(seq);
  return at == under_way_.end() ? 0 : at->second.repeats;
}

void Backlog::settled(std::int64_t seq) { unsettled_.erase(seq); }

OutboxOutcome Backlog::count(std::int64_t seq, Record record, std::string error, base::MonoTime now,
                             double dice) {
  ++record.tries;
  record.repeats = 0;
  const bool dead = record.tries >= limits_.max_tries;
  if (dead) {
    unsettled_.insert(seq);
  } else {
    wait(seq, record, now + delay(record, dice));
  }
  return {seq, dead ? OutboxOutcome::Kind::Dead : OutboxOutcome::Kind::Tried, record.tries,
          std::move(error)};
}

void Backlog::wait(std::int64_t seq, Record record, base::MonoTime until) {
  due_.emplace(until, seq);
  again_[seq] = record;
}

base::Millis Backlog::delay(const Record& record, double dice) const {
  return backoff(record.tries + record.repeats, limits_.backoff, limits_.longest, dice);
}

void Backlog::hurry(base::MonoTime now) {
  std::set<std::pair<base::MonoTime, std::int64_t>> due;
  for (const auto& [when, seq] : due_) due.emplace(std::min(when, now), seq);
  due_ = std::move(due);
}

std::optional<base::MonoTime> Backlog::next_due() const {
  if (due_.empty()) return std::nullopt;
  return due_.begin()->first;
}

}  // namespace mahavishnu::outbound
