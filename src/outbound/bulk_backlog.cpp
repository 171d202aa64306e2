#include "outbound/bulk_backlog.h"

#include <algorithm>
#include <utility>

#include "outbound/backoff.h"

namespace mahavishnu::outbound {

using ItemKind = ItemOutcome::Kind;

bool BulkBacklog::wants_page() const {
  return more_ && ready_.size() < limits_.rows && ready_bytes_ < limits_.bytes &&
         open_.size() < limits_.most_bulks * limits_.rows &&
         open_bytes_ < limits_.most_bulks * limits_.bytes;
}

void BulkBacklog::page(std::vector<BulkItem> items, std::int64_t up_to, bool more) {
  more_ = more;
  cursor_ = up_to;
  for (auto& item : items) {
    open_.insert(item.seq);
    open_bytes_ += item.lines.size();
    ready_bytes_ += item.lines.size();
    ready_.push_back(std::move(item));
  }
}

bool BulkBacklog::has_next(base::MonoTime now) const {
  return !ready_.empty() || (!again_.empty() && again_.begin()->first.first <= now);
}

// The first always fits, however long it is.
bool BulkBacklog::fits(const Bulk& bulk, std::size_t bytes, const BulkItem& item) const {
  return bulk.empty() || (bulk.size() < limits_.rows && bytes + item.lines.size() <= limits_.bytes);
}

BulkBacklog::Bulk BulkBacklog::take(base::MonoTime now) {
  Bulk bulk;
  std::size_t bytes = 0;
  const auto add = [&](BulkItem item) {
    bytes += item.lines.size();
    item.accepted_before = accepted_;
    bulk.push_back(std::move(item));
  };
  while (!again_.empty() && again_.begin()->first.first <= now &&
         fits(bulk, bytes, again_.begin()->second)) {
    add(std::move(again_.extract(again_.begin()).mapped()));
  }
  while (!ready_.empty() && fits(bulk, bytes, ready_.front())) {
    ready_bytes_ -= ready_.front().lines.size();
    add(std::move(ready_.front()));
    ready_.pop_front();
  }
  return bulk;
}

void BulkBacklog::settle(const BulkItem& item) {
  open_.erase(item.seq);
  open_bytes_ -= item.lines.size();
}

BulkBacklog::Counts BulkBacklog::answered(Bulk bulk, const std::vector<ItemOutcome>& outcomes,
                                          base::MonoTime now, double dice) {
  Counts counts;
  for (const auto& outcome : outcomes) accepted_ += outcome.kind <= ItemKind::Known ? 1 : 0;
  for (std::size_t i = 0; i < bulk.size(); ++i) {
    BulkItem& item = bulk[i];
    ItemKind kind = outcomes[i].kind;
    if (kind == ItemKind::Broken && accepted_ > item.accepted_before) {
      if (++item.tries >= limits_.max_tries) kind = ItemKind::Rejected;
    } else {
      ++item.repeats;
    }
    switch (kind) {
      case ItemKind::Indexed:
        ++counts.indexed;
        settle(item);
        break;
      case ItemKind::Known:
        ++counts.known;
        settle(item);
        break;
      case ItemKind::Rejected:
        ++counts.rejected;
        settle(item);
        break;
      case ItemKind::Busy:
      case ItemKind::Broken:
        ++counts.again;
        const auto pause =
            backoff(item.tries + item.repeats, limits_.backoff, limits_.longest, dice);
        wait(std::move(item), now + pause);
        break;
    }
  }
  return counts;
}

void BulkBacklog::again(Bulk bulk, base::MonoTime now) {
  for (auto& item : bulk) wait(std::move(item), now);
}

BulkBacklog::Counts BulkBacklog::too_large(Bulk bulk, base::MonoTime now) {
  Counts counts;
  if (bulk.size() == 1) {
    counts.rejected = 1;
    settle(bulk.front());
    return counts;
  }
  std::size_t bytes = 0;
  for (const auto& item : bulk) bytes += item.lines.size();
  limits_.bytes = std::min(limits_.bytes, std::max<std::size_t>(bytes / 2, 1));
  counts.again = bulk.size();
  again(std::move(bulk), now);
  return counts;
}

void BulkBacklog::wait(BulkItem item, base::MonoTime until) {
  const auto key = std::pair(until, item.seq);
  again_.emplace(key, std::move(item));
}

std::optional<base::MonoTime> BulkBacklog::next_due() const {
  if (again_.empty()) return std::nullopt;
  return again_.begin()->first.first;
}

}  // namespace mahavishnu::outbound
