// Strategy. The naive bus starts a task for every message and subscriber, and keeps all of them
// until the slowest is through. Here a message is kept once, a group holds numbers only, and work
// is done when a consumer asks: what is at work at any time is bounded by what consumers took.
#include "domain/bus.h"

#include <algorithm>

#include "domain/bus_topics.h"

namespace mahavishnu::domain {
namespace {

constexpr long kRoomRetryMs = 1000;
constexpr std::size_t kMostDisconnected = 1000;  // that are remembered until they ask

}  // namespace

std::string_view to_string(SlowPolicy policy) {
  switch (policy) {
    case SlowPolicy::BlockPublisher:
      return "block_publisher";
    case SlowPolicy::DropOldest:
      return "drop_oldest";
    case SlowPolicy::Disconnect:
      return "disconnect";
  }
  return "block_publisher";
}

std::optional<SlowPolicy> parse_slow_policy(std::string_view text) {
  for (const auto policy :
       {SlowPolicy::BlockPublisher, SlowPolicy::DropOldest, SlowPolicy::Disconnect}) {
    if (text == to_string(policy)) return policy;
  }
  return std::nullopt;
}

std::size_t Message::bytes() const {
  constexpr std::size_t kBesides = 400;  // the message itself and its places in the bus
  std::size_t sum = kBesides + body.size() + sender.size();
  for (const auto& topic : topics) sum += sizeof(topic) + topic.size();
  for (const auto& [key, value] : headers) sum += 96 + key.size() + value.size();
  return sum;
}

Bus::Bus(BusOptions options) : options_(std::move(options)) {}
Bus::~Bus() = default;

// ── What there is at a start ─────────────────────────────────────────────────────────────────────

BusChange Bus::restore(BusSnapshot snapshot, Moment now) {
  BusChange change;
  for (GroupRecord& group : snapshot.groups) {
    next_group_ = std::max(next_group_, group.no + 1);
    next_message_ = std::max(next_message_, group.start + 1);
    insert(std::move(group), now.mono);
  }
  std::set<std::pair<MessageNo, GroupNo>> acked;
  for (const auto& ack : snapshot.acks) acked.emplace(ack.message, ack.group);
  for (MessagePtr& message : snapshot.messages) {
    next_message_ = std::max(next_message_, message->no + 1);
    if (message->expires <= now.wall) {
      change.gone.push_back(message->no);
      continue;
    }
    const MessageNo no = message->no;
    const auto kept = keep(std::move(message));
    for (const GroupNo group : met_by(kept->second.message->topics)) {
      if (groups_.at(group).view.record.start >= no) continue;
      kept->second.met = true;
      if (acked.count({no, group}) > 0) continue;
      give(groups_.at(group), kept);
    }
    if (!kept->second.owed.empty()) continue;
    if (kept->second.met) {
      retire(kept, change);
    } else {
      unread_.insert(no);
    }
  }
  for (auto& [no, group] : groups_) {
    while (group.pending() > options_.max_pending && drop_oldest(group, change)) {
    }
  }
  return change;
}

// ── Publishing ───────────────────────────────────────────────────────────────────────────────────

std::vector<GroupNo> Bus::met_by(const std::vector<std::string>& topics) const {
  std::vector<GroupNo> met;
  for (const std::string& topic : topics) {
    if (const auto found = exact_.find(topic); found != exact_.end()) {
      met.insert(met.end(), found->second.begin(), found->second.end());
    }
    for (const GroupNo no : wild_) {
      if (matches(groups_.at(no).view.record.pattern, topic)) met.push_back(no);
    }
  }
  std::sort(met.begin(), met.end());
  met.erase(std::unique(met.begin(), met.end()), met.end());
  return met;
}

SlowPolicy Bus::policy_of(std::string_view topic) const {
  for (const auto& [pattern, policy] : options_.policies) {
    if (matches(pattern, topic)) return policy;
  }
  return options_.policy;
}

Result<std::shared_ptr<Message>> Bus::make(NewMessage given, MessageId id, Moment now) const {
  if (given.topics.empty()) {
    return fail(ErrorCode::InvalidArgument, "topic: a message needs one, such as builds.api.done");
  }
  for (const auto& topic : given.topics) {
    if (auto good = check_topic(topic); !good) return fail(good.error());
  }
  if (given.body.size() > kMessageBytes) {
    return fail(ErrorCode::InvalidArgument,
                "body: a message has at most " + std::to_string(kMessageBytes) +
                    " bytes, this one " + std::to_string(given.body.size()) +
                    "; put it in a file and send its path");
  }
  Message message;
  message.id = id;
  message.topics = std::move(given.topics);
  message.body = std::move(given.body);
  message.headers = std::move(given.headers);
  message.sender = std::move(given.sender);
  message.published = now.wall;
  const Millis ttl = given.ttl > Millis{0} ? given.ttl : options_.keep;
  message.expires = now.wall + std::min(ttl, options_.longest_ttl);
  return std::make_shared<Message>(std::move(message));
}

Result<Bus::Published> Bus::publish(NewMessage given, MessageId id, Moment now) {
  auto made = make(std::move(given), id, now);
  if (!made) return fail(std::move(made.error()));
  auto message = std::move(*made);
  Published published;
  if (auto room = make_room(*message, policy_of(message->topics.front()), published); !room) {
    return fail(std::move(room.error()));
  }
  const auto groups = met_by(message->topics);  // making room may have cost some
  for (const GroupNo no : groups) ++groups_.at(no).coming;
  published.no = message->no = next_message_++;
  published.groups = static_cast<int>(groups.size());
  published.change.published.push_back(message);
  keep(std::move(message))->second.on_disk = false;
  coming_[published.no] = groups;
  ++counts_.published;
  return published;
}

bool Bus::full(std::size_t more_bytes) const {
  return kept_.size() >= options_.max_messages ||
         (!kept_.empty() && bytes_ + more_bytes > options_.max_bytes);
}

Status Bus::make_room(const Message& message, SlowPolicy policy, Published& published) {
  for (const GroupNo no : met_by(message.topics)) {
    if (auto room = make_room_in(no, message, policy, published); !room) return room;
  }
  while (full(message.bytes())) {
    if (evict(policy, published)) continue;
    ++counts_.blocked;
    blocked_by_ = 0;
    return fail(ErrorCode::Exhausted,
                "the bus is full (" + std::to_string(kept_.size()) + " messages, " +
                    std::to_string(bytes_) +
                    " bytes not acknowledged); see message_topics for who is behind, or raise "
                    "messages.max_count or messages.max_bytes",
                kRoomRetryMs);
  }
  return {};
}

Status Bus::make_room_in(GroupNo no, const Message& message, SlowPolicy policy,
                         Published& published) {
  Group& group = groups_.at(no);
  if (group.pending() < options_.max_pending) return {};
  if (policy == SlowPolicy::Disconnect) {
    disconnect(no,
               "it was " + std::to_string(group.pending()) + " messages behind on topic " +
                   message.topics.front(),
               published);
    return {};
  }
  if (policy == SlowPolicy::DropOldest && drop_oldest(group, published.change)) {
    ++published.dropped;
    return {};
  }
  ++counts_.blocked;
  blocked_by_ = no;
  return fail(ErrorCode::Exhausted,
              "group \"" + group.view.record.name + "\" has " + std::to_string(group.pending()) +
                  " messages it has not acknowledged; wait for it (wait_ms), or give topic " +
                  message.topics.front() + " another policy in messages.policies",
              kRoomRetryMs);
}

// False: all it has is still on its way to the disk.
bool Bus::drop_oldest(Group& group, BusChange& change) {
  if (group.ready.empty() && group.at_work.empty()) return false;
  const MessageNo oldest =
      group.ready.empty() ? group.at_work.begin()->first : group.ready.begin()->first;
  take_from(group, oldest);
  settle(oldest, group.view.record.no, change);
  ++group.view.dropped;
  ++counts_.dropped;
  return true;
}

// One message leaves: the oldest of those nobody has asked for, else as the policy says.
bool Bus::evict(SlowPolicy policy, Published& published) {
  if (!unread_.empty()) {
    let_go(kept_.find(*unread_.begin()), published.change);
    ++counts_.dropped;
    return true;
  }
  const auto oldest = kept_.begin();
  if (policy == SlowPolicy::BlockPublisher || !oldest->second.on_disk) return false;
  if (policy == SlowPolicy::Disconnect) {
    for (const GroupNo no : std::vector<GroupNo>(oldest->second.owed)) {
      disconnect(no, "it held the oldest message of a full bus", published);
    }
    return true;
  }
  lose(oldest, &GroupView::dropped, published.change);
  ++published.dropped;
  ++counts_.dropped;
  return true;
}

void Bus::disconnect(GroupNo no, std::string why, Published& published) {
  const auto found = groups_.find(no);
  const std::string name = found->second.view.record.name;
  published.dropped += static_cast<int>(found->second.ready.size() + found->second.at_work.size());
  BusChange left = leave(no);
  published.change.left.insert(published.change.left.end(), left.left.begin(), left.left.end());
  published.change.gone.insert(published.change.gone.end(), left.gone.begin(), left.gone.end());
  if (disconnected_.size() >= kMostDisconnected) disconnected_.erase(disconnected_.begin());
  disconnected_[name] = std::move(why);
  ++counts_.disconnected;
}

std::vector<GroupNo> Bus::persisted(MessageNo no) {
  const auto kept = kept_.find(no);
  if (kept == kept_.end()) return {};
  for (const GroupNo group : coming_[no]) {
    if (const auto found = groups_.find(group); found != groups_.end()) --found->second.coming;
  }
  coming_.erase(no);
  kept->second.on_disk = true;
  std::vector<GroupNo> met = met_by(kept->second.message->topics);
  std::erase_if(met, [&](GroupNo group) { return groups_.at(group).view.record.start >= no; });
  for (const GroupNo group : met) give(groups_.at(group), kept);
  if (met.empty()) unread_.insert(no);
  return met;
}

void Bus::refused(MessageNo no) {
  const auto kept = kept_.find(no);
  if (kept == kept_.end()) return;
  for (const GroupNo group : coming_[no]) {
    if (const auto found = groups_.find(group); found != groups_.end()) --found->second.coming;
  }
  coming_.erase(no);
  BusChange nothing;  // it is not on disk
  let_go(kept, nothing);
}

std::vector<GroupNo> Bus::tell(NewMessage event, MessageId id, Moment now) {
  if (!wants_events()) return {};
  auto made = make(std::move(event), id, now);
  if (!made) return {};
  std::vector<GroupNo> met = met_by((*made)->topics);
  if (met.empty()) return {};
  Published published;
  const SlowPolicy policy = policy_of((*made)->topics.front());
  for (const GroupNo no : met) {
    const auto kind = policy == SlowPolicy::BlockPublisher ? SlowPolicy::DropOldest : policy;
    if (!make_room_in(no, **made, kind, published)) return {};
  }
  // Durable messages do not make room for an event.
  if (full((*made)->bytes())) {
    ++counts_.dropped;
    return {};
  }
  std::erase_if(met, [&](GroupNo no) { return groups_.count(no) == 0; });
  auto message = std::move(*made);
  message->no = next_message_++;
  message->durable = false;
  const auto kept = keep(std::move(message));
  for (const GroupNo no : met) give(groups_.at(no), kept);
  if (met.empty()) let_go(kept, published.change);
  ++counts_.events;
  return met;
}

// ── What is kept ─────────────────────────────────────────────────────────────────────────────────

Bus::Keep::iterator Bus::keep(MessagePtr message) {
  const std::size_t bytes = message->bytes();
  bytes_ += bytes;
  TopicSum& topic = topics_[message->topics.front()];
  ++topic.messages;
  topic.bytes += bytes;
  ids_[message->id] = message->no;
  expiries_.emplace(message->expires, message->no);
  const MessageNo no = message->no;
  return kept_.emplace_hint(kept_.end(), no, Kept{std::move(message), {}, true, false});
}

void Bus::let_go(Keep::iterator kept, BusChange& change) {
  const Message& message = *kept->second.message;
  const std::size_t bytes = message.bytes();
  bytes_ -= bytes;
  const auto topic = topics_.find(message.topics.front());
  topic->second.bytes -= bytes;
  if (--topic->second.messages == 0) topics_.erase(topic);
  ids_.erase(message.id);
  expiries_.erase({message.expires, message.no});
  unread_.erase(message.no);
  if (message.durable) change.gone.push_back(message.no);
  kept_.erase(kept);
}

void Bus::give(Group& group, Keep::iterator kept) {
  group.ready.emplace(kept->first, 0);
  kept->second.owed.push_back(group.view.record.no);
  kept->second.met = true;
  unread_.erase(kept->first);
}

// The group has it no more, ready or at work. False: it did not have it.
bool Bus::take_from(Group& group, MessageNo message) {
  if (group.ready.erase(message) > 0) return true;
  const auto found = group.at_work.find(message);
  if (found == group.at_work.end()) return false;
  deadlines_.erase({found->second.ack_by, group.view.record.no, message});
  group.at_work.erase(found);
  return true;
}

// The group owes it no more; the message goes when nobody does.
void Bus::settle(MessageNo message, GroupNo group, BusChange& change) {
  const auto kept = kept_.find(message);
  if (kept == kept_.end()) return;
  const bool durable = kept->second.message->durable;
  std::erase(kept->second.owed, group);
  if (kept->second.owed.empty() && retire(kept, change)) return;
  if (durable) change.acked.push_back({message, group});
}

// It is addressed to an inbox that nobody has opened yet.
bool Bus::awaits_reader(const Message& message) const {
  return std::any_of(message.topics.begin(), message.topics.end(), [&](const std::string& topic) {
    return is_inbox(topic) && exact_.find(topic) == exact_.end();
  });
}

// Nobody owes it: it goes, unless somebody may still ask for it.
bool Bus::retire(Keep::iterator kept, BusChange& change) {
  if (awaits_reader(*kept->second.message)) {
    unread_.insert(kept->first);
    return false;
  }
  let_go(kept, change);
  return true;
}

// Every group loses it, and counts that.
void Bus::lose(Keep::iterator kept, std::uint64_t GroupView::*counter, BusChange& change) {
  for (const GroupNo no : kept->second.owed) {
    Group& group = groups_.at(no);
    take_from(group, kept->first);
    ++(group.view.*counter);
  }
  let_go(kept, change);
}

}  // namespace mahavishnu::domain
