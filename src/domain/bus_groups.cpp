// Consumer groups: joining, taking, acknowledging, and what the time brings.
#include <algorithm>

#include "domain/bus.h"
#include "domain/bus_topics.h"

namespace mahavishnu::domain {
namespace {

constexpr std::size_t kMostHung = 100;  // consumers named, of one group
constexpr long kGroupsRetryMs = 60000;

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

}  // namespace

// ── Joining and leaving ──────────────────────────────────────────────────────────────────────────

Result<Bus::Joined> Bus::join(const std::string& name, const std::string& pattern, bool earliest,
                              Moment now) {
  if (auto good = check_pattern(pattern); !good) return fail(good.error());
  if (const auto gone = disconnected_.find(name); gone != disconnected_.end()) {
    const std::string why = gone->second;
    disconnected_.erase(gone);
    return fail(ErrorCode::Unavailable,
                "group " + quoted(name) + " was disconnected and has lost its messages: " + why +
                    "; ask again to join anew",
                1);
  }
  if (const auto known = find(name)) {
    Group& group = groups_.at(*known);
    group.asked = now.mono;
    if (group.view.record.pattern == pattern) return Joined{*known, false, {}};
    return fail(ErrorCode::Conflict, "group " + quoted(name) + " listens to " +
                                         quoted(group.view.record.pattern) + ", not to " +
                                         quoted(pattern) + "; use another group name for that");
  }
  if (groups_.size() >= options_.max_groups) {
    return fail(ErrorCode::Exhausted,
                "there are " + std::to_string(groups_.size()) +
                    " groups; use one of those message_topics shows, or raise messages.max_groups",
                kGroupsRetryMs);
  }
  GroupRecord record{next_group_++, name, pattern, earliest ? 0 : next_message_ - 1, now.wall};
  Joined joined{record.no, true, {}};
  joined.change.joined.push_back(record);
  Group& group = insert(std::move(record), now.mono);
  if (earliest) give_kept(group);
  return joined;
}

Bus::Group& Bus::insert(GroupRecord record, base::MonoTime now) {
  const GroupNo no = record.no;
  names_[record.name] = no;
  if (is_wild(record.pattern)) {
    wild_.push_back(no);
  } else {
    exact_[record.pattern].push_back(no);
  }
  if (may_meet_events(record.pattern)) ++event_groups_;
  Group& group = groups_[no];
  group.view.record = std::move(record);
  group.asked = now;
  return group;
}

Bus::Group Bus::remove(Groups::iterator at) {
  Group group = std::move(at->second);
  const GroupRecord& record = group.view.record;
  groups_.erase(at);
  names_.erase(record.name);
  std::erase(wild_, record.no);
  if (const auto exact = exact_.find(record.pattern); exact != exact_.end()) {
    std::erase(exact->second, record.no);
    if (exact->second.empty()) exact_.erase(exact);
  }
  if (may_meet_events(record.pattern)) --event_groups_;
  for (const auto& [message, work] : group.at_work) {
    deadlines_.erase({work.ack_by, record.no, message});
  }
  return group;
}

// To a group that asks for what there is: the newest that it has room for.
void Bus::give_kept(Group& group) {
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
    if (!kept->second.on_disk || !kept->second.message->durable) continue;
    const auto& topics = kept->second.message->topics;
    const auto met = [&](const std::string& topic) {
      return matches(group.view.record.pattern, topic);
    };
    if (!std::any_of(topics.begin(), topics.end(), met)) continue;
    if (group.pending() >= options_.max_pending) break;
    give(group, std::prev(kept.base()));
  }
}

BusChange Bus::leave(GroupNo no) {
  BusChange change;
  const auto found = groups_.find(no);
  if (found == groups_.end()) return change;
  const Group group = remove(found);
  const auto drop = [&](MessageNo message) {
    const auto kept = kept_.find(message);
    std::erase(kept->second.owed, no);
    if (kept->second.owed.empty()) retire(kept, change);
    ++counts_.dropped;
  };
  for (const auto& [message, deliveries] : group.ready) drop(message);
  for (const auto& [message, work] : group.at_work) drop(message);
  change.left.push_back(no);
  return change;
}

void Bus::unjoin(GroupNo no) {
  const auto found = groups_.find(no);
  if (found == groups_.end()) return;
  const Group group = remove(found);
  const auto give_up = [&](MessageNo message) {
    const auto kept = kept_.find(message);
    std::erase(kept->second.owed, no);
    if (kept->second.owed.empty() && kept->second.message->durable) unread_.insert(message);
  };
  for (const auto& [message, deliveries] : group.ready) give_up(message);
  for (const auto& [message, work] : group.at_work) give_up(message);
}

// ── Work ─────────────────────────────────────────────────────────────────────────────────────────

std::vector<MessageDelivery> Bus::take(GroupNo no, const std::string& consumer, TakeLimits limits,
                                       Moment now) {
  std::vector<MessageDelivery> taken;
  const auto found = groups_.find(no);
  if (found == groups_.end()) return taken;
  Group& group = found->second;
  group.asked = now.mono;
  group.hung.erase(consumer);
  std::size_t bytes = 0;
  while (!group.ready.empty() && taken.size() < limits.messages &&
         group.at_work.size() < options_.max_in_flight) {
    const auto [message, before] = *group.ready.begin();
    const MessagePtr& kept = kept_.at(message).message;
    bytes += kept->body.size();
    if (!taken.empty() && bytes > limits.bytes) break;
    group.ready.erase(group.ready.begin());
    const AtWork work{before + 1, now.mono + limits.ack_within, consumer};
    deadlines_.emplace(work.ack_by, no, message);
    taken.push_back({kept, work.deliveries, work.ack_by});
    group.at_work.emplace(message, work);
    ++group.view.delivered;
    ++counts_.delivered;
    if (before > 0) ++group.view.redelivered, ++counts_.redelivered;
  }
  return taken;
}

void Bus::put_back(GroupNo no, const std::vector<MessageNo>& messages) {
  const auto found = groups_.find(no);
  if (found == groups_.end()) return;
  Group& group = found->second;
  for (const MessageNo message : messages) {
    const auto work = group.at_work.find(message);
    if (work == group.at_work.end()) continue;
    const int before = work->second.deliveries - 1;
    take_from(group, message);
    group.ready.emplace(message, before);
    --group.view.delivered;
    --counts_.delivered;
    if (before > 0) --group.view.redelivered, --counts_.redelivered;
  }
}

Result<Bus::Settled> Bus::ack(std::string_view name, const std::vector<MessageId>& messages) {
  const auto no = find(name);
  if (!no) {
    return fail(ErrorCode::NotFound, "there is no group " + quoted(name) +
                                         "; message_topics shows those there are, message_poll "
                                         "makes one");
  }
  Group& group = groups_.at(*no);
  Settled settled;
  for (const MessageId id : messages) {
    const auto known = ids_.find(id);
    const bool late = known != ids_.end() && group.ready.count(known->second) > 0;
    if (known == ids_.end() || !take_from(group, known->second)) {
      settled.unknown.push_back(id);
      continue;
    }
    std::erase_if(group.hung, [&](const auto& one) { return one.second.message == id; });
    settle(known->second, *no, settled.change);
    settled.done.push_back(id);
    ++group.view.acked;
    ++counts_.acked;
    if (late) ++counts_.late_acks;
  }
  return settled;
}

Result<Bus::Settled> Bus::retry(std::string_view name, const std::vector<MessageId>& messages) {
  const auto no = find(name);
  if (!no) return fail(ack(name, {}).error());
  Group& group = groups_.at(*no);
  Settled settled;
  for (const MessageId id : messages) {
    const auto known = ids_.find(id);
    const auto work = known == ids_.end() ? group.at_work.end() : group.at_work.find(known->second);
    if (work == group.at_work.end()) {
      settled.unknown.push_back(id);
      continue;
    }
    again(group, known->second, work->second.deliveries, settled.change);
    settled.done.push_back(id);
  }
  return settled;
}

// It is given out once more. False: too often already; the group loses it.
bool Bus::again(Group& group, MessageNo message, int deliveries, BusChange& change) {
  take_from(group, message);
  if (deliveries < options_.max_deliveries) {
    group.ready.emplace(message, deliveries);
    return true;
  }
  settle(message, group.view.record.no, change);
  ++group.view.dead;
  ++counts_.dead;
  return false;
}

// ── Time ─────────────────────────────────────────────────────────────────────────────────────────

Bus::Due Bus::due(Moment now) {
  Due due;
  lapse(due, now);
  expire(due, now);
  if (now.mono >= idle_check_) leave_idle(due, now);
  return due;
}

// Acks that are late.
void Bus::lapse(Due& due, Moment now) {
  while (!deadlines_.empty() && std::get<0>(*deadlines_.begin()) <= now.mono) {
    const auto [ack_by, no, message] = *deadlines_.begin();
    Group& group = groups_.at(no);
    const AtWork work = group.at_work.at(message);
    const MessageId id = kept_.at(message).message->id;
    if (group.hung.size() >= kMostHung && group.hung.count(work.consumer) == 0) {
      group.hung.erase(group.hung.begin());
    }
    auto& hung = group.hung[work.consumer];
    hung = {work.consumer, id, now.wall, hung.times + 1};
    const bool alive = again(group, message, work.deliveries, due.change);
    due.late.push_back({group.view.record.name, work.consumer, id, hung.times, !alive});
    due.woken.push_back(no);
    due.room = due.room || !alive;
  }
}

void Bus::expire(Due& due, Moment now) {
  for (auto next = expiries_.begin(); next != expiries_.end() && next->first <= now.wall;) {
    const auto kept = kept_.find(next->second);
    ++next;  // before its entry goes
    if (!kept->second.on_disk) continue;
    lose(kept, &GroupView::expired, due.change);
    ++counts_.expired;
    due.room = true;
  }
}

void Bus::leave_idle(Due& due, Moment now) {
  std::vector<GroupNo> idle;
  for (const auto& [no, group] : groups_) {
    if (now.mono - group.asked >= options_.group_idle) idle.push_back(no);
  }
  for (const GroupNo no : idle) {
    due.idle.push_back(groups_.at(no).view.record.name);
    BusChange left = leave(no);
    due.change.left.push_back(no);
    due.change.gone.insert(due.change.gone.end(), left.gone.begin(), left.gone.end());
    ++counts_.left;
    due.room = true;
  }
  idle_check_ =
      now.mono + std::max<base::MonoTime::duration>(options_.group_idle / 8, Millis{1000});
}

base::MonoTime Bus::next_due(Moment now) const {
  base::MonoTime next = base::MonoTime::max();
  if (!deadlines_.empty()) next = std::get<0>(*deadlines_.begin());
  if (!expiries_.empty()) {
    const auto in = std::max(expiries_.begin()->first - now.wall, Millis{1});
    next = std::min(next, now.mono + in);
  }
  if (!groups_.empty()) next = std::min(next, std::max(idle_check_, now.mono));
  return next;
}

// ── Views ────────────────────────────────────────────────────────────────────────────────────────

std::optional<GroupNo> Bus::find(std::string_view group) const {
  const auto found = names_.find(group);
  return found == names_.end() ? std::nullopt : std::optional<GroupNo>(found->second);
}

std::size_t Bus::ready(GroupNo no) const {
  const auto found = groups_.find(no);
  return found == groups_.end() ? 0 : found->second.ready.size();
}

std::size_t Bus::takeable(GroupNo no) const {
  return std::min(ready(no), options_.max_in_flight - in_flight(no));
}

std::size_t Bus::room(GroupNo no) const {
  const auto found = groups_.find(no);
  if (found == groups_.end()) return 0;
  return options_.max_pending - std::min(options_.max_pending, found->second.pending());
}

std::size_t Bus::in_flight(GroupNo no) const {
  const auto found = groups_.find(no);
  return found == groups_.end() ? 0 : found->second.at_work.size();
}

BusCounts Bus::counts() const {
  BusCounts counts = counts_;
  counts.messages = kept_.size();
  counts.bytes = bytes_;
  counts.groups = groups_.size();
  counts.in_flight = deadlines_.size();
  return counts;
}

std::vector<GroupView> Bus::groups() const {
  std::vector<GroupView> views;
  for (const auto& [name, no] : names_) {
    const Group& group = groups_.at(no);
    GroupView view = group.view;
    view.ready = group.ready.size();
    view.in_flight = group.at_work.size();
    for (const auto& [consumer, hung] : group.hung) view.hung.push_back(hung);
    views.push_back(std::move(view));
  }
  return views;
}

std::vector<TopicView> Bus::topics(std::string_view pattern, std::size_t most) const {
  std::vector<TopicView> views;
  for (const auto& [topic, sum] : topics_) {
    if (views.size() == most) break;
    if (!matches(pattern, topic)) continue;
    views.push_back({topic, policy_of(topic), sum.messages, sum.bytes});
  }
  return views;
}

std::string Bus::check() const {
  std::size_t bytes = 0;
  std::map<MessageNo, std::size_t> owed;
  for (const auto& [no, group] : groups_) {
    if (group.at_work.size() > options_.max_in_flight) return "a group has too much at work";
    for (const auto& [message, deliveries] : group.ready) ++owed[message];
    for (const auto& [message, work] : group.at_work) {
      if (deadlines_.count({work.ack_by, no, message}) == 0) return "work without a deadline";
      ++owed[message];
    }
  }
  std::size_t coming = 0;
  for (const auto& [no, kept] : kept_) {
    bytes += kept.message->bytes();
    if (kept.owed.size() != owed[no]) return "a message is owed by others than those who have it";
    if (kept.on_disk && kept.owed.empty() && unread_.count(no) == 0) return "a message stays on";
    if (!kept.on_disk) ++coming;
  }
  if (owed.size() > kept_.size()) return "a group has a message that is gone";
  if (bytes != bytes_) return "the bytes do not add up";
  if (coming != coming_.size()) return "a message comes from nowhere";
  if (ids_.size() != kept_.size() || expiries_.size() != kept_.size())
    return "an index is not whole";
  return {};
}

}  // namespace mahavishnu::domain
