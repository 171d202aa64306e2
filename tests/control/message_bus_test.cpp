#include "control/message_bus.h"

#include <doctest/doctest.h>

#include <memory>

#include "support/memory_messages.h"
#include "support/polled_loop.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using control::MessageBus;

namespace {

using Posted = base::Result<MessageBus::Published>;
using Polled = base::Result<MessageBus::Polled>;
using Settled = base::Result<MessageBus::Settled>;

control::MessageBusOptions small(domain::SlowPolicy policy = domain::SlowPolicy::BlockPublisher) {
  control::MessageBusOptions options;
  options.bus.max_pending = 2;
  options.bus.max_in_flight = 2;
  options.bus.policy = policy;
  options.max_waiters = 3;
  options.id_seed = 5;
  return options;
}

struct Office : support::PolledLoop {
  explicit Office(control::MessageBusOptions options = small())
      : store(io.get_executor()), bus(io.get_executor(), std::move(options), timers, store) {
    bus.start({});
  }
  ~Office() {
    bus.stop();
    poll();
    CHECK(bus.bus().check() == "");
  }

  static domain::NewMessage message(const std::string& topic, const std::string& body = "hello") {
    domain::NewMessage message;
    message.topics = {topic};
    message.body = body;
    return message;
  }
  static MessageBus::PollArgs args(const std::string& group, const std::string& pattern) {
    MessageBus::PollArgs args;
    args.group = group;
    args.pattern = pattern;
    args.consumer = "tester";
    return args;
  }
  Posted publish(const std::string& topic, const std::string& body = "hello") {
    return run(bus.publish(message(topic, body), Millis{0}));
  }
  Polled take(const std::string& group, const std::string& pattern = "t") {
    return run(bus.poll(args(group, pattern), Millis{0}));
  }
  auto wait_for(const std::string& group, const std::string& pattern, Millis wait) {
    return start(bus.poll(args(group, pattern), wait));
  }

  support::MemoryMessages store;
  MessageBus bus;
};

base::Error full() { return {ErrorCode::Exhausted, "the disk is full", 1000}; }

}  // namespace

TEST_SUITE("MessageBus") {
  TEST_CASE("a message is answered, and given out, when it is on disk and not before") {
    Office office;
    REQUIRE(office.take("g"));
    office.store.hold = true;
    const auto published = office.start(office.bus.publish(Office::message("t"), Millis{0}));
    const auto waiting = office.wait_for("g", "t", Millis{1000});
    CHECK_FALSE(published->has_value());
    CHECK_FALSE(waiting->has_value());
    office.store.release();
    office.poll();
    CHECK((*published)->value().groups == 1);
    REQUIRE((*waiting)->value().messages.size() == 1);
    CHECK((*waiting)->value().messages[0].message->id == (*published)->value().id);
  }

  TEST_CASE("a message that could not be written is refused and given to nobody") {
    Office office;
    REQUIRE(office.take("g"));
    office.store.fail_with = full();
    CHECK(office.publish("t").error().message == "the disk is full");
    office.store.fail_with.reset();
    CHECK(office.take("g")->messages.empty());
    CHECK(office.bus.bus().counts().messages == 0);
  }

  TEST_CASE("a group that could not be written is none") {
    Office office;
    REQUIRE(office.publish("t"));
    office.store.fail_with = full();
    auto args = Office::args("g", "t");
    args.earliest = true;
    CHECK_FALSE(office.run(office.bus.poll(args, Millis{0})).has_value());
    CHECK_FALSE(office.bus.bus().find("g").has_value());
    office.store.fail_with.reset();
    CHECK(office.run(office.bus.poll(args, Millis{0}))->messages.size() == 1);
  }

  TEST_CASE("an ack is on disk when it is answered") {
    Office office;
    REQUIRE(office.take("g"));
    const auto id = office.publish("t")->id;
    REQUIRE(office.take("g"));
    office.store.hold = true;
    const auto acked = office.start(office.bus.ack("g", {id}, false));
    CHECK_FALSE(acked->has_value());
    CHECK(office.store.changes.back().gone.size() == 1);
    office.store.release();
    office.poll();
    CHECK((*acked)->value().done.size() == 1);
    office.store.hold = false;
    CHECK(office.run(office.bus.ack("g", {id}, false))->unknown.size() == 1);
    CHECK(office.run(office.bus.ack("nobody", {id}, false)).error().code == ErrorCode::NotFound);
  }

  TEST_CASE("an ack that could not be written says so") {
    Office office;
    REQUIRE(office.take("g"));
    const auto id = office.publish("t")->id;
    REQUIRE(office.take("g"));
    office.store.fail_with = full();
    CHECK(office.run(office.bus.ack("g", {id}, false)).error().code == ErrorCode::Exhausted);
  }

  TEST_CASE("retry gives a message out again without waiting for its time") {
    Office office;
    REQUIRE(office.take("g"));
    const auto id = office.publish("t")->id;
    REQUIRE(office.take("g"));
    const auto waiting = office.wait_for("g", "t", Millis{1000});
    CHECK(office.run(office.bus.ack("g", {id}, true))->done.size() == 1);
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->value().messages[0].deliveries == 2);
  }

  TEST_CASE("a late ack wakes another consumer at its time") {
    Office office;
    REQUIRE(office.take("g"));
    REQUIRE(office.publish("t"));
    REQUIRE(office.take("g")->messages.size() == 1);
    const auto waiting = office.wait_for("g", "t", Millis{40000});
    office.advance(Millis{29999});
    CHECK_FALSE(waiting->has_value());
    office.advance(Millis{1});
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->value().messages[0].deliveries == 2);
  }

  TEST_CASE("an empty poll answers at its end, and the end of the server ends it") {
    Office office;
    const auto first = office.wait_for("g", "t", Millis{1000});
    office.advance(Millis{1000});
    REQUIRE(first->has_value());
    CHECK((*first)->value().messages.empty());
    const auto second = office.wait_for("g", "t", Millis{1000});
    office.bus.stop();
    office.poll();
    REQUIRE(second->has_value());
    CHECK((*second)->error().code == ErrorCode::Unavailable);
  }

  TEST_CASE("expired messages are removed from the disk by themselves") {
    Office office;
    REQUIRE(office.take("g"));
    auto brief = Office::message("t");
    brief.ttl = Millis{1000};
    REQUIRE(office.run(office.bus.publish(brief, Millis{0})));
    office.advance(Millis{1001});
    CHECK(office.store.changes.back().gone.size() == 1);
    CHECK(office.take("g")->messages.empty());
  }
}

TEST_SUITE("MessageBus: a slow group") {
  TEST_CASE("its publisher waits for room, first come first served, or is refused in the end") {
    Office office;
    REQUIRE(office.take("g"));
    REQUIRE(office.publish("t"));
    REQUIRE(office.publish("t"));
    CHECK(office.publish("t").error().code == ErrorCode::Exhausted);
    const auto first = office.start(office.bus.publish(Office::message("t", "3"), Millis{5000}));
    const auto second = office.start(office.bus.publish(Office::message("t", "4"), Millis{5000}));
    CHECK_FALSE(first->has_value());
    const auto taken = office.take("g")->messages;
    REQUIRE(office.run(office.bus.ack("g", {taken[0].message->id}, false)));
    office.poll();
    REQUIRE(first->has_value());
    CHECK((*first)->has_value());
    CHECK_FALSE(second->has_value());
    office.advance(Millis{5000});
    REQUIRE(second->has_value());
    CHECK((*second)->error().code == ErrorCode::Exhausted);
  }

  TEST_CASE("no more calls wait than allowed") {
    Office office;
    for (int i = 0; i < 3; ++i) office.wait_for("g", "t", Millis{1000});
    const auto refused = office.wait_for("g", "t", Millis{1000});
    REQUIRE(refused->has_value());
    CHECK((*refused)->error().code == ErrorCode::Exhausted);
    CHECK(office.take("g").has_value());
    office.advance(Millis{1000});
  }

  TEST_CASE("a consumer that waits with all at work is told when its group is disconnected") {
    Office office(small(domain::SlowPolicy::Disconnect));
    REQUIRE(office.take("g"));
    REQUIRE(office.publish("t"));
    REQUIRE(office.publish("t"));
    REQUIRE(office.take("g")->messages.size() == 2);
    const auto waiting = office.wait_for("g", "t", Millis{5000});
    REQUIRE(office.publish("t")->dropped == 2);
    office.poll();
    REQUIRE(waiting->has_value());
    CHECK((*waiting)->error().code == ErrorCode::Unavailable);
    CHECK(office.take("g").has_value());
  }

  TEST_CASE("a call that is cancelled while it waits for the disk loses nothing") {
    Office office;
    REQUIRE(office.take("g"));
    office.store.hold = true;
    asio::cancellation_signal stop;
    std::optional<Posted> outcome;
    asio::co_spawn(office.io, office.bus.publish(Office::message("t"), Millis{0}),
                   asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, Posted got) {
                     outcome = std::move(got);
                   }));
    office.poll();
    stop.emit(asio::cancellation_type::terminal);
    office.poll();
    REQUIRE(outcome);
    CHECK(outcome->error().code == ErrorCode::Cancelled);
    office.store.hold = false;
    office.store.release();
    office.poll();
    CHECK(office.take("g")->messages.size() == 1);
  }
}

TEST_SUITE("MessageBus: events") {
  TEST_CASE("an event wakes who waits for it, and nothing is written") {
    Office office;
    const auto waiting = office.wait_for("g", "event.#", Millis{1000});
    const std::size_t written = office.store.changes.size();
    CHECK(office.bus.wants_events());
    office.bus.tell(Office::message("event.task.failed"));
    office.poll();
    REQUIRE(waiting->has_value());
    const auto& messages = (*waiting)->value().messages;
    REQUIRE(messages.size() == 1);
    CHECK(office.run(office.bus.ack("g", {messages[0].message->id}, false))->done.size() == 1);
    CHECK(office.store.changes.size() == written);
  }

  TEST_CASE("without a group that can meet them, and after the end, events are nothing") {
    Office office;
    office.bus.tell(Office::message("event.task.failed"));
    CHECK(office.bus.bus().counts().events == 0);
    office.wait_for("g", "event.#", Millis{1000});
    office.bus.stop();
    office.bus.tell(Office::message("event.task.failed"));
    CHECK(office.bus.bus().counts().events == 0);
  }
}
