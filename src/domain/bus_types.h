// Messages, consumer groups, and what of them is written: plain values, and the port that writes.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domain/types.h"

namespace mahavishnu::domain {

struct MessageKind {
  static constexpr std::string_view prefix = "msg_";
};
using MessageId = base::Id<MessageKind>;

using MessageNo = std::uint64_t;  // the order of publishing; 0: none
using GroupNo = std::uint64_t;

inline constexpr std::size_t kMessageBytes = 32U << 10U;  // longest body: one fits into an answer

// What happens to a message that a group has no room for.
enum class SlowPolicy : std::uint8_t {
  BlockPublisher,  // its publisher waits, then is refused
  DropOldest,      // the group loses its oldest message
  Disconnect,      // the group loses everything and is told so when it asks next
};
std::string_view to_string(SlowPolicy policy);  // "block_publisher"
std::optional<SlowPolicy> parse_slow_policy(std::string_view text);

struct Message {
  MessageNo no = 0;
  MessageId id;
  // What it was published on, and the inboxes of the repositories it is addressed to. A group gets
  // it once, whichever of them its pattern meets.
  std::vector<std::string> topics;
  std::string body;
  StringMap headers;
  std::string sender;
  WallTime published{};
  WallTime expires{};
  bool durable = true;  // false: an event, which no crash survives

  std::size_t bytes() const;  // that it takes in memory, about
};
using MessagePtr = std::shared_ptr<const Message>;

// What a publisher gives; the bus adds the rest.
struct NewMessage {
  std::vector<std::string> topics;
  std::string body;
  StringMap headers;
  std::string sender;
  Millis ttl{0};  // 0: the bus's own
};

struct GroupRecord {
  GroupNo no = 0;
  std::string name;
  std::string pattern;
  MessageNo start = 0;  // it gets messages after this one
  WallTime joined{};
};

// One commit of the bus: all of it becomes durable, or nothing.
struct BusChange {
  struct Ack {
    MessageNo message = 0;
    GroupNo group = 0;
  };
  std::vector<GroupNo> left;  // with their acks; before `joined`
  std::vector<GroupRecord> joined;
  std::vector<MessagePtr> published;
  std::vector<Ack> acked;       // other groups still owe theirs
  std::vector<MessageNo> gone;  // owed by nobody any more, expired or dropped; with their acks

  bool empty() const {
    return left.empty() && joined.empty() && published.empty() && acked.empty() && gone.empty();
  }
};

// What a start finds on disk.
struct BusSnapshot {
  std::vector<GroupRecord> groups;
  std::vector<MessagePtr> messages;  // by number
  std::vector<BusChange::Ack> acks;
};

// Makes changes durable in the order they are given. `done` is called exactly once, on the control
// thread and never from inside the call, unless the store was stopped first. Exhausted: the disk is
// full (of acks and removals only as a last resort), or too much waits for it.
class MessageStore {
 public:
  virtual ~MessageStore() = default;
  virtual void append(BusChange change, std::function<void(Status)> done) = 0;
};

}  // namespace mahavishnu::domain
