#include "domain/bus.h"

#include "bus_desk.h"

namespace mahavishnu::test {

TEST_SUITE("Bus: a slow group") {
  TEST_CASE("block_publisher: refused until it acknowledges one") {
    BusDesk desk(small_bus());
    const auto a = desk.join("a", "t");
    for (int i = 0; i < 3; ++i) desk.send("t");
    const auto refused = desk.publish(BusDesk::message("t"));
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().code == ErrorCode::Exhausted);
    CHECK(refused.error().retry_after_ms > 0);
    CHECK(refused.error().message.find("group \"a\" has 3 messages") != std::string::npos);
    CHECK(desk.bus.counts().blocked == 1);
    const auto taken = desk.take(a);
    desk.ack("a", {taken[0].message->id});
    desk.send("t");
  }

  TEST_CASE("messages on their way to the disk fill a group as well") {
    BusDesk desk(small_bus());
    desk.join("a", "t");
    for (int i = 0; i < 3; ++i) REQUIRE(desk.publish(BusDesk::message("t")).has_value());
    CHECK_FALSE(desk.publish(BusDesk::message("t")).has_value());
    BusDesk dropping(small_bus(SlowPolicy::DropOldest));
    dropping.join("a", "t");
    for (int i = 0; i < 3; ++i) REQUIRE(dropping.publish(BusDesk::message("t")).has_value());
    CHECK(dropping.publish(BusDesk::message("t")).error().code == ErrorCode::Exhausted);
  }

  TEST_CASE("drop_oldest: it loses its oldest message, other groups nothing") {
    BusDesk desk(small_bus(SlowPolicy::DropOldest));
    const auto slow = desk.join("slow", "t");
    const auto quick = desk.join("quick", "t");
    for (const char* body : {"1", "2", "3"}) {
      desk.send("t", body);
      desk.ack("quick", {desk.take(quick).at(0).message->id});
    }
    const auto published = desk.publish(BusDesk::message("t", "4"));
    CHECK(published->dropped == 1);
    CHECK(published->change.gone.size() == 1);
    desk.bus.persisted(published->no);
    CHECK(desk.bodies(slow) == "2 3");
    CHECK(desk.bodies(quick) == "4");
    CHECK(desk.view("slow").dropped == 1);
  }

  TEST_CASE("drop_oldest spares what is at work as long as it can") {
    BusDesk desk(small_bus(SlowPolicy::DropOldest));
    const auto a = desk.join("a", "t");
    for (const char* body : {"1", "2", "3"}) desk.send("t", body);
    CHECK(desk.bodies(a) == "1 2");
    desk.send("t", "4");
    CHECK(desk.bus.in_flight(a) == 2);
    CHECK(desk.bus.ready(a) == 1);
  }

  TEST_CASE("disconnect: it loses everything, and is told so once") {
    BusDesk desk(small_bus(SlowPolicy::Disconnect));
    desk.join("slow", "t");
    for (int i = 0; i < 3; ++i) desk.send("t");
    const auto published = desk.publish(BusDesk::message("t", "after"));
    CHECK(published->groups == 0);
    CHECK(published->dropped == 3);
    CHECK(published->change.left.size() == 1);
    CHECK(published->change.gone.size() == 3);
    desk.bus.persisted(published->no);
    const auto told = desk.bus.join("slow", "t", false, desk.now);
    REQUIRE_FALSE(told.has_value());
    CHECK(told.error().code == ErrorCode::Unavailable);
    CHECK(told.error().message.find("3 messages behind on topic t") != std::string::npos);
    CHECK(desk.bodies(desk.join("slow", "t", true)) == "after");
    CHECK(desk.bus.counts().disconnected == 1);
  }

  TEST_CASE("the policy is the topic's") {
    auto options = small_bus();
    options.policies = {{"logs.#", SlowPolicy::DropOldest}, {"#", SlowPolicy::Disconnect}};
    const BusDesk desk(options);
    CHECK(desk.bus.policy_of("logs.api") == SlowPolicy::DropOldest);
    CHECK(desk.bus.policy_of("builds") == SlowPolicy::Disconnect);
    for (const auto policy :
         {SlowPolicy::BlockPublisher, SlowPolicy::DropOldest, SlowPolicy::Disconnect}) {
      CHECK(parse_slow_policy(to_string(policy)) == policy);
    }
    CHECK_FALSE(parse_slow_policy("drop_newest").has_value());
  }
}

TEST_SUITE("Bus: a full bus") {
  TEST_CASE("messages nobody has asked for make room, the oldest first") {
    BusOptions options;
    options.max_messages = 2;
    BusDesk desk(options);
    for (const char* body : {"1", "2", "3"}) desk.send("t", body);
    CHECK(desk.bodies(desk.join("a", "t", true)) == "2 3");
    CHECK(desk.bus.counts().dropped == 1);
  }

  TEST_CASE("what groups owe stays, drops or disconnects them, as the topic says") {
    for (const auto policy :
         {SlowPolicy::BlockPublisher, SlowPolicy::DropOldest, SlowPolicy::Disconnect}) {
      CAPTURE(to_string(policy));
      BusOptions options;
      options.max_messages = 2;
      options.policy = policy;
      BusDesk desk(options);
      const auto a = desk.join("a", "t");
      desk.send("t", "1");
      desk.send("t", "2");
      desk.take(a, 1);
      const auto third = desk.publish(BusDesk::message("t", "3"));
      CHECK(third.has_value() == (policy != SlowPolicy::BlockPublisher));
      CHECK(desk.bus.find("a").has_value() == (policy != SlowPolicy::Disconnect));
      if (third) desk.bus.persisted(third->no);
      if (policy == SlowPolicy::DropOldest) CHECK(desk.bodies(a) == "2 3");
    }
  }

  TEST_CASE("bytes are bounded as well, but one message always goes in") {
    BusOptions options;
    options.max_bytes = 1000;
    BusDesk desk(options);
    desk.join("a", "t");
    desk.send("t", std::string(5000, 'x'));
    CHECK(desk.publish(BusDesk::message("t")).error().code == ErrorCode::Exhausted);
  }

  TEST_CASE("a body over the limit, or no topic, is refused by name") {
    BusDesk desk;
    auto large = desk.publish(BusDesk::message("t", std::string(kMessageBytes + 1, 'x')));
    CHECK(large.error().code == ErrorCode::InvalidArgument);
    CHECK(large.error().message.find("32768") != std::string::npos);
    CHECK(desk.publish(BusDesk::message("t", std::string(kMessageBytes, 'x'))).has_value());
    CHECK(desk.publish(BusDesk::message("a..b")).error().code == ErrorCode::InvalidArgument);
    CHECK(desk.publish(NewMessage{}).error().code == ErrorCode::InvalidArgument);
    desk.bus.refused(1);
  }
}

}  // namespace mahavishnu::test
