// The message bus as a pure state machine: who still has to get what.
//
// A message goes to every consumer group whose pattern meets one of its topics; within a group one
// consumer gets it and has to acknowledge it in time, or it is given out again: at least once. It
// is kept until every group it went to has acknowledged it, or it expires; one that met no group,
// or is addressed to an inbox that nobody has opened yet, waits for a group that asks for earlier
// messages. Nobody gets a message before it is on disk. Events (pool and task changes) are messages
// of a server's life only: never written, and not even made when no pattern can meet them.
//
// Everything is bounded: messages and their bytes altogether, groups, what waits for one group,
// what one group has at work. A group that is behind meets the policy of the topic that finds it
// full. Calls answer what is to be written (BusChange); it performs nothing and takes no time by
// itself. One thread. `control::MessageBus` is its shell.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "domain/bus_types.h"
#include "domain/events.h"

namespace mahavishnu::domain {

struct BusOptions {
  std::size_t max_messages = 100000;
  std::size_t max_bytes = 64U << 20U;  // of messages in memory, and with them on disk
  std::size_t max_groups = 1000;
  std::size_t max_pending = 10000;          // messages that one group has not acknowledged
  std::size_t max_in_flight = 100;          // of these at work with its consumers
  int max_deliveries = 16;                  // then a group loses it (counted as dead)
  Millis keep{std::chrono::hours(24 * 7)};  // a message without a ttl of its own
  Millis longest_ttl{std::chrono::hours(24 * 30)};
  Millis group_idle{std::chrono::hours(24 * 7)};   // a group nobody asks for is let go after this
  SlowPolicy policy = SlowPolicy::BlockPublisher;  // of topics that meet none of `policies`
  std::vector<std::pair<std::string, SlowPolicy>> policies;  // by pattern; the first that meets
};

struct BusCounts {
  std::uint64_t published = 0, events = 0, delivered = 0, redelivered = 0, acked = 0, late_acks = 0;
  std::uint64_t blocked = 0;       // publishers that found no room
  std::uint64_t dropped = 0;       // messages a group lost, and unread ones that made room
  std::uint64_t disconnected = 0;  // groups
  std::uint64_t expired = 0, dead = 0, left = 0;
  std::size_t messages = 0, bytes = 0, groups = 0, in_flight = 0;
};

// A message at work with a consumer.
struct MessageDelivery {
  MessagePtr message;
  int deliveries = 1;  // this one included
  base::MonoTime ack_by{};
};

struct GroupView {
  GroupRecord record;
  std::size_t ready = 0, in_flight = 0;
  std::uint64_t delivered = 0, redelivered = 0, acked = 0, dropped = 0, expired = 0, dead = 0;
  // Consumers that let the time for an ack pass, and have not asked again since.
  struct Hung {
    std::string consumer;
    MessageId message;
    WallTime since{};
    std::uint64_t times = 0;
  };
  std::vector<Hung> hung;
};

struct TopicView {
  std::string topic;
  SlowPolicy policy = SlowPolicy::BlockPublisher;
  std::size_t messages = 0, bytes = 0;
};

class Bus {
 public:
  explicit Bus(BusOptions options);
  ~Bus();
  Bus(const Bus&) = delete;
  Bus& operator=(const Bus&) = delete;

  // Once, before all else. The change lets go what had expired.
  BusChange restore(BusSnapshot snapshot, Moment now);

  struct Published {
    MessageNo no = 0;
    int groups = 0;   // it goes to so many now
    int dropped = 0;  // older messages lost for it
    BusChange change;
  };
  // Takes it; nobody gets it before persisted(). Exhausted: a group, or the bus, has no room and
  // the topic's policy lets the publisher wait. InvalidArgument: a topic or the body is none.
  Result<Published> publish(NewMessage message, MessageId id, Moment now);
  // The groups that have it now.
  std::vector<GroupNo> persisted(MessageNo no);
  void refused(MessageNo no);  // it could not be written: as if it had never been

  bool wants_events() const { return event_groups_ > 0; }
  // An event: at once, to the groups there are. Never waits: where there is no room, the policy
  // block_publisher is drop_oldest.
  std::vector<GroupNo> tell(NewMessage event, MessageId id, Moment now);

  struct Joined {
    GroupNo no = 0;
    bool fresh = false;
    BusChange change;
  };
  // The group of that name, made when there is none: with `earliest` it gets what is kept,
  // otherwise what is published from now on. Conflict: it is there with another pattern.
  // Unavailable, once: it was disconnected since it asked last.
  Result<Joined> join(const std::string& name, const std::string& pattern, bool earliest,
                      Moment now);
  BusChange leave(GroupNo no);  // what only this group still owed goes with it
  void unjoin(GroupNo no);      // its joining could not be written: as if it had never been

  struct TakeLimits {
    std::size_t messages = 10;
    std::size_t bytes = 1U << 20U;  // of bodies; the first is always given
    Millis ack_within{30000};
  };
  // Oldest first. Nothing: none is ready, or max_in_flight are at work already.
  std::vector<MessageDelivery> take(GroupNo no, const std::string& consumer, TakeLimits limits,
                                    Moment now);
  // As if they had not been taken.
  void put_back(GroupNo no, const std::vector<MessageNo>& messages);

  struct Settled {
    std::vector<MessageId> done;
    std::vector<MessageId> unknown;  // acknowledged before, expired, dropped, or never the group's
    BusChange change;
  };
  // NotFound: there is no such group.
  Result<Settled> ack(std::string_view group, const std::vector<MessageId>& messages);
  // Gives them out again at once.
  Result<Settled> retry(std::string_view group, const std::vector<MessageId>& messages);

  struct Due {
    std::vector<GroupNo> woken;
    bool room = false;  // some publisher may find room
    struct Late {
      std::string group, consumer;
      MessageId message;
      std::uint64_t times = 0;  // since the consumer asked last, this one included
      bool dead = false;
    };
    std::vector<Late> late;
    std::vector<std::string> idle;  // groups let go
    BusChange change;
  };
  Due due(Moment now);
  base::MonoTime next_due(Moment now) const;  // max(): nothing to wait for

  std::optional<GroupNo> find(std::string_view group) const;
  bool has(GroupNo no) const { return groups_.count(no) > 0; }
  std::size_t ready(GroupNo no) const;
  std::size_t takeable(GroupNo no) const;  // of these as many as may be at work besides
  std::size_t room(GroupNo no) const;      // messages the group has room for
  bool has_room() const { return !full(0); }
  GroupNo blocked_by() const { return blocked_by_; }  // the last publisher; 0: by the whole bus
  std::size_t in_flight(GroupNo no) const;
  SlowPolicy policy_of(std::string_view topic) const;
  BusCounts counts() const;
  std::vector<GroupView> groups() const;                                            // by name
  std::vector<TopicView> topics(std::string_view pattern, std::size_t most) const;  // by name

  // The first invariant that does not hold, or "". O(everything); tests only.
  std::string check() const;

 private:
  struct AtWork {
    int deliveries = 0;
    base::MonoTime ack_by{};
    std::string consumer;
  };
  struct Group {
    GroupView view;                  // its counters; sizes and `hung` are filled in by groups()
    std::map<MessageNo, int> ready;  // and how often it was given out before
    std::map<MessageNo, AtWork> at_work;
    std::map<std::string, GroupView::Hung> hung;
    std::size_t coming = 0;  // not on disk yet
    base::MonoTime asked{};
    std::size_t pending() const { return ready.size() + at_work.size() + coming; }
  };
  struct Kept {
    MessagePtr message;
    std::vector<GroupNo> owed;
    bool on_disk = true;
    bool met = false;  // some group got it
  };
  struct TopicSum {
    std::size_t messages = 0, bytes = 0;
  };
  using Groups = std::map<GroupNo, Group>;
  using Keep = std::map<MessageNo, Kept>;

  std::vector<GroupNo> met_by(const std::vector<std::string>& topics) const;
  Result<std::shared_ptr<Message>> make(NewMessage message, MessageId id, Moment now) const;
  bool full(std::size_t more_bytes) const;
  Status make_room(const Message& message, SlowPolicy policy, Published& published);
  Status make_room_in(GroupNo no, const Message& message, SlowPolicy policy, Published& published);
  bool drop_oldest(Group& group, BusChange& change);
  bool evict(SlowPolicy policy, Published& published);
  void disconnect(GroupNo no, std::string why, Published& published);
  Keep::iterator keep(MessagePtr message);
  void let_go(Keep::iterator kept, BusChange& change);
  void give(Group& group, Keep::iterator kept);
  bool take_from(Group& group, MessageNo message);
  void settle(MessageNo message, GroupNo group, BusChange& change);
  bool awaits_reader(const Message& message) const;
  bool retire(Keep::iterator kept, BusChange& change);
  void lose(Keep::iterator kept, std::uint64_t GroupView::*counter, BusChange& change);
  Group& insert(GroupRecord record, base::MonoTime now);
  Group remove(Groups::iterator group);
  void give_kept(Group& group);
  bool again(Group& group, MessageNo message, int deliveries, BusChange& change);
  void lapse(Due& due, Moment now);
  void expire(Due& due, Moment now);
  void leave_idle(Due& due, Moment now);

  BusOptions options_;
  Groups groups_;
  std::map<std::string, GroupNo, std::less<>> names_;
  std::unordered_map<std::string, std::vector<GroupNo>> exact_;  // by pattern without wildcards
  std::vector<GroupNo> wild_;
  std::map<std::string, std::string, std::less<>> disconnected_;  // and why; bounded
  Keep kept_;
  std::set<MessageNo> unread_;  // kept and owed by nobody: they wait for a reader
  std::unordered_map<MessageId, MessageNo> ids_;
  std::unordered_map<MessageNo, std::vector<GroupNo>> coming_;
  std::map<std::string, TopicSum, std::less<>> topics_;
  std::set<std::pair<WallTime, MessageNo>> expiries_;
  std::set<std::tuple<base::MonoTime, GroupNo, MessageNo>> deadlines_;
  std::size_t bytes_ = 0;
  std::size_t event_groups_ = 0;
  GroupNo blocked_by_ = 0;
  MessageNo next_message_ = 1;
  GroupNo next_group_ = 1;
  base::MonoTime idle_check_{};
  mutable BusCounts counts_;
};

}  // namespace mahavishnu::domain
