// A bus with a clock and ids of its own, for tests.
#pragma once

#include <doctest/doctest.h>

#include "domain/bus.h"

namespace mahavishnu::test {

using namespace domain;

inline BusOptions small_bus(SlowPolicy policy = SlowPolicy::BlockPublisher) {
  BusOptions options;
  options.max_pending = 3;
  options.max_in_flight = 2;
  options.max_deliveries = 3;
  options.policy = policy;
  return options;
}

class BusDesk {
 public:
  explicit BusDesk(BusOptions options = {}, std::uint64_t life = 1)
      : bus(std::move(options)), ids_(life) {
    now.wall = WallTime(Millis(1'700'000'000'000));
    now.mono = base::MonoTime(std::chrono::seconds(1000));
  }
  ~BusDesk() { CHECK(bus.check() == ""); }

  void pass(Millis time) {
    now.wall += time;
    now.mono += time;
  }

  static NewMessage message(const std::string& topic, const std::string& body = "hello") {
    NewMessage message;
    message.topics = {topic};
    message.body = body;
    message.sender = "tester";
    return message;
  }
  Result<Bus::Published> publish(NewMessage message) {
    last_id = MessageId{ids_.next(now.wall)};
    return bus.publish(std::move(message), last_id, now);
  }
  // Published and on disk: the groups that have it.
  std::vector<GroupNo> send(const std::string& topic, const std::string& body = "hello") {
    auto published = publish(message(topic, body));
    REQUIRE_MESSAGE(published.has_value(), published.error().message);
    return bus.persisted(published->no);
  }
  std::vector<GroupNo> tell(const std::string& topic) {
    last_id = MessageId{ids_.next(now.wall)};
    return bus.tell(message(topic), last_id, now);
  }
  GroupNo join(const std::string& name, const std::string& pattern, bool earliest = false) {
    auto joined = bus.join(name, pattern, earliest, now);
    REQUIRE_MESSAGE(joined.has_value(), joined.error().message);
    return joined->no;
  }
  std::vector<MessageDelivery> take(GroupNo group, std::size_t most = 10,
                                    const std::string& consumer = "one") {
    Bus::TakeLimits limits;
    limits.messages = most;
    return bus.take(group, consumer, limits, now);
  }
  // "first second": the bodies in the order they are given out.
  std::string bodies(GroupNo group, std::size_t most = 10) {
    std::string all;
    for (const auto& one : take(group, most)) {
      all += (all.empty() ? "" : " ") + one.message->body;
    }
    return all;
  }
  Bus::Settled ack(const std::string& group, const std::vector<MessageId>& ids) {
    auto settled = bus.ack(group, ids);
    REQUIRE(settled.has_value());
    return *settled;
  }
  const GroupView view(const std::string& name) const {
    for (const auto& group : bus.groups()) {
      if (group.record.name == name) return group;
    }
    return {};
  }

  Moment now;
  Bus bus;
  MessageId last_id;

 private:
  base::UlidSource ids_;  // another life makes other ids
};

}  // namespace mahavishnu::test
