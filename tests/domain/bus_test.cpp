#include "domain/bus.h"

#include "bus_desk.h"

namespace mahavishnu::test {

TEST_SUITE("Bus: delivery") {
  TEST_CASE("every group gets a message, one consumer in each") {
    BusDesk desk;
    const auto a = desk.join("a", "builds.*");
    const auto b = desk.join("b", "builds.api");
    desk.join("c", "tests.#");
    CHECK(desk.send("builds.api") == std::vector<GroupNo>{a, b});
    CHECK(desk.take(a, 10, "first").size() == 1);
    CHECK(desk.take(a, 10, "second").empty());
    CHECK(desk.take(b).size() == 1);
    CHECK(desk.bus.ready(*desk.bus.find("c")) == 0);
  }

  TEST_CASE("nobody gets a message before it is on disk, or one that could not be written") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    const auto first = desk.publish(BusDesk::message("t", "first"));
    const auto second = desk.publish(BusDesk::message("t", "second"));
    CHECK(first->groups == 1);
    CHECK(desk.take(a).empty());
    desk.bus.refused(first->no);
    CHECK(desk.bus.persisted(second->no) == std::vector<GroupNo>{a});
    CHECK(desk.bodies(a) == "second");
    CHECK(desk.bus.counts().messages == 1);
  }

  TEST_CASE("messages come oldest first and go when all groups have acknowledged them") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    const auto b = desk.join("b", "t");
    desk.send("t", "1");
    const auto id = desk.last_id;
    desk.send("t", "2");
    CHECK(desk.bodies(a) == "1 2");
    CHECK(desk.bodies(b) == "1 2");
    const auto first = desk.ack("a", {id});
    REQUIRE(first.change.acked.size() == 1);
    CHECK(first.change.acked[0].group == a);
    CHECK(first.change.gone.empty());
    const auto last = desk.ack("b", {id});
    CHECK(last.change.acked.empty());
    CHECK(last.change.gone == std::vector<MessageNo>{first.change.acked[0].message});
    CHECK(desk.bus.counts().messages == 1);
  }

  TEST_CASE("an ack that comes twice, or for another's message, is told as unknown") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    desk.send("t");
    desk.take(a);
    CHECK(desk.ack("a", {desk.last_id}).done.size() == 1);
    CHECK(desk.ack("a", {desk.last_id}).unknown.size() == 1);
    desk.join("b", "u");
    desk.send("t");
    CHECK(desk.ack("b", {desk.last_id}).unknown.size() == 1);
    CHECK(desk.bus.ack("nobody", {}).error().code == ErrorCode::NotFound);
    CHECK(desk.bus.retry("nobody", {}).error().code == ErrorCode::NotFound);
  }

  TEST_CASE("a message addressed to several topics comes to a group once") {
    BusDesk desk;
    const auto all = desk.join("all", "#");
    auto message = BusDesk::message("tag.backend");
    message.topics = {"tag.backend", "repo.api", "repo.web"};
    const auto published = desk.publish(message);
    desk.bus.persisted(published->no);
    CHECK(desk.take(all).size() == 1);
    const auto api = desk.join("api", "repo.api", true);
    CHECK(desk.take(api).size() == 1);
  }

  TEST_CASE("no more than its bounds are at work, in messages and in bytes") {
    BusDesk desk(small_bus());
    const auto a = desk.join("a", "t");
    for (const char* body : {"1", "2", "3"}) desk.send("t", body);
    CHECK(desk.bodies(a) == "1 2");
    CHECK(desk.bodies(a) == "");
    BusDesk large;
    const auto b = large.join("b", "t");
    for (int i = 0; i < 3; ++i) large.send("t", std::string(1000, 'x'));
    Bus::TakeLimits limits;
    limits.bytes = 10;
    CHECK(large.bus.take(b, "one", limits, large.now).size() == 1);
    limits.bytes = 2000;
    CHECK(large.bus.take(b, "one", limits, large.now).size() == 2);
  }

  TEST_CASE("what is put back comes again as if it had not been taken") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    desk.send("t");
    const auto taken = desk.take(a);
    desk.bus.put_back(a, {taken[0].message->no});
    const auto again = desk.take(a);
    REQUIRE(again.size() == 1);
    CHECK(again[0].deliveries == 1);
    CHECK(desk.bus.counts().delivered == 1);
  }
}

TEST_SUITE("Bus: groups") {
  TEST_CASE("a new group gets what comes, or also what nobody has acknowledged yet") {
    BusDesk desk;
    desk.send("t", "before");
    const auto later = desk.join("later", "t");
    const auto first = desk.join("first", "t", true);
    desk.send("t", "after");
    CHECK(desk.bodies(later) == "after");
    CHECK(desk.bodies(first) == "before after");
  }

  TEST_CASE("a message on its way to the disk comes to a group that joins for earlier ones only") {
    BusDesk desk;
    const auto coming = desk.publish(BusDesk::message("t"));
    const auto later = desk.join("later", "t");
    const auto first = desk.join("first", "t", true);
    CHECK(desk.bus.persisted(coming->no) == std::vector<GroupNo>{first});
    CHECK(desk.take(later).empty());
  }

  TEST_CASE("joining again is the same group; with another pattern it is refused") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    CHECK(desk.join("a", "t") == a);
    CHECK(desk.bus.join("a", "u", false, desk.now).error().code == ErrorCode::Conflict);
    CHECK(desk.bus.join("b", "#.x", false, desk.now).error().code == ErrorCode::InvalidArgument);
  }

  TEST_CASE("there are no more groups than allowed") {
    BusOptions options;
    options.max_groups = 1;
    BusDesk desk(options);
    desk.join("a", "t");
    CHECK(desk.bus.join("b", "t", false, desk.now).error().code == ErrorCode::Exhausted);
  }

  TEST_CASE("a message to several inboxes waits for each of them to be opened") {
    BusDesk desk;
    auto message = BusDesk::message("tag.node");
    message.topics = {"tag.node", "repo.api", "repo.web"};
    desk.bus.persisted(desk.publish(message)->no);
    const auto id = desk.last_id;
    const auto api = desk.join("repo.api", "repo.api", true);
    CHECK(desk.take(api).size() == 1);
    const auto first = desk.ack("repo.api", {id});
    CHECK(first.change.acked.size() == 1);
    CHECK(first.change.gone.empty());
    CHECK(desk.bus.check() == "");
    CHECK(desk.take(api).empty());
    const auto web = desk.join("repo.web", "repo.web", true);
    CHECK(desk.take(web).size() == 1);
    CHECK(desk.ack("repo.web", {id}).change.gone.size() == 1);
  }

  TEST_CASE("an inbox that was let go finds its messages when it is opened again") {
    BusDesk desk;
    const auto api = desk.join("repo.api", "repo.api", true);
    desk.send("repo.api", "patience");
    CHECK(desk.bus.leave(api).gone.empty());
    CHECK(desk.bus.check() == "");
    CHECK(desk.bodies(desk.join("repo.api", "repo.api", true)) == "patience");
  }

  TEST_CASE("a group whose joining was not written leaves its messages for others") {
    BusDesk desk;
    desk.send("t", "kept");
    const auto a = desk.join("a", "t", true);
    CHECK(desk.take(a).size() == 1);
    desk.bus.unjoin(a);
    CHECK(desk.bus.check() == "");
    CHECK(desk.bodies(desk.join("b", "t", true)) == "kept");
  }

  TEST_CASE("a group nobody asks for is let go with what only it owed") {
    BusOptions options;
    options.group_idle = Millis(10000);
    BusDesk desk(options);
    desk.join("gone", "t");
    const auto busy = desk.join("busy", "u");
    desk.send("t");
    desk.bus.due(desk.now);
    desk.pass(Millis(9000));
    desk.take(busy);
    desk.pass(Millis(2000));
    const auto due = desk.bus.due(desk.now);
    CHECK(due.idle == std::vector<std::string>{"gone"});
    CHECK(due.change.left.size() == 1);
    CHECK(due.change.gone.size() == 1);
    CHECK(desk.bus.counts().messages == 0);
    CHECK(desk.bus.find("busy").has_value());
  }
}

TEST_SUITE("Bus: time") {
  TEST_CASE("an ack that is late gives the message out again, and names who has it") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    desk.send("t");
    CHECK(desk.take(a, 10, "slow").size() == 1);
    desk.pass(Millis(29999));
    CHECK(desk.bus.due(desk.now).woken.empty());
    desk.pass(Millis(1));
    const auto due = desk.bus.due(desk.now);
    CHECK(due.woken == std::vector<GroupNo>{a});
    REQUIRE(due.late.size() == 1);
    CHECK(due.late[0].consumer == "slow");
    REQUIRE(desk.view("a").hung.size() == 1);
    CHECK(desk.view("a").hung[0].message == desk.last_id);
    const auto again = desk.take(a, 10, "quick");
    REQUIRE(again.size() == 1);
    CHECK(again[0].deliveries == 2);
    CHECK(desk.view("a").redelivered == 1);
    desk.take(a, 10, "slow");
    CHECK(desk.view("a").hung.empty());
  }

  TEST_CASE("a late ack still counts") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    desk.send("t");
    desk.take(a);
    desk.pass(Millis(30000));
    desk.bus.due(desk.now);
    CHECK(desk.ack("a", {desk.last_id}).done.size() == 1);
    CHECK(desk.take(a).empty());
    CHECK(desk.bus.counts().late_acks == 1);
    CHECK(desk.view("a").hung.empty());
  }

  TEST_CASE("what is never acknowledged is dead after its last delivery") {
    BusDesk desk(small_bus());
    const auto a = desk.join("a", "t");
    desk.send("t");
    for (int i = 0; i < 3; ++i) {
      CHECK(desk.take(a).size() == 1);
      desk.pass(Millis(30000));
      const auto due = desk.bus.due(desk.now);
      REQUIRE(due.late.size() == 1);
      CHECK(due.late[0].dead == (i == 2));
      CHECK(due.change.gone.size() == (i == 2 ? 1 : 0));
    }
    CHECK(desk.take(a).empty());
    CHECK(desk.view("a").dead == 1);
  }

  TEST_CASE("a consumer that says retry gets it again at once, until it is dead") {
    BusDesk desk(small_bus());
    const auto a = desk.join("a", "t");
    desk.send("t");
    for (int i = 0; i < 3; ++i) {
      CHECK(desk.take(a).size() == 1);
      const auto settled = desk.bus.retry("a", {desk.last_id});
      CHECK(settled->done.size() == 1);
    }
    CHECK(desk.take(a).empty());
    CHECK(desk.bus.retry("a", {desk.last_id})->unknown.size() == 1);
    CHECK(desk.bus.counts().dead == 1);
  }

  TEST_CASE("messages expire, wherever they are") {
    BusDesk desk;
    const auto a = desk.join("a", "t");
    auto brief = BusDesk::message("t", "brief");
    brief.ttl = Millis(1000);
    desk.bus.persisted(desk.publish(brief)->no);
    desk.take(a);
    desk.bus.persisted(desk.publish(brief)->no);
    auto unread = BusDesk::message("nobody");
    unread.ttl = Millis(1000);
    desk.bus.persisted(desk.publish(unread)->no);
    desk.send("t", "long");
    desk.bus.due(desk.now);
    CHECK(desk.bus.next_due(desk.now) == desk.now.mono + Millis(1000));
    desk.pass(Millis(1000));
    CHECK(desk.bus.due(desk.now).change.gone.size() == 3);
    CHECK(desk.bodies(a) == "long");
    CHECK(desk.view("a").expired == 2);
    CHECK(desk.bus.counts().expired == 3);
  }

  TEST_CASE("no message outlives the longest time to live") {
    BusOptions options;
    options.longest_ttl = Millis(5000);
    BusDesk desk(options);
    auto message = BusDesk::message("t");
    message.ttl = Millis(1'000'000);
    const auto published = desk.publish(message);
    CHECK(published->change.published[0]->expires == desk.now.wall + Millis(5000));
  }

  TEST_CASE("with nothing to wait for there is no alarm") {
    const BusDesk desk;
    CHECK(desk.bus.next_due(desk.now) == base::MonoTime::max());
  }
}

TEST_SUITE("Bus: events") {
  TEST_CASE("nothing is told when no pattern can meet an event") {
    BusDesk desk;
    desk.join("a", "builds.#");
    CHECK_FALSE(desk.bus.wants_events());
    CHECK(desk.tell("event.task.failed").empty());
    CHECK(desk.bus.counts().events == 0);
  }

  TEST_CASE("an event is there at once and leaves nothing to be written") {
    BusDesk desk;
    const auto a = desk.join("a", "event.task.*");
    CHECK(desk.bus.wants_events());
    CHECK(desk.tell("event.task.failed") == std::vector<GroupNo>{a});
    CHECK(desk.take(a).size() == 1);
    CHECK(desk.ack("a", {desk.last_id}).change.empty());
    CHECK(desk.tell("event.pool.running").empty());
    desk.bus.leave(a);
    CHECK_FALSE(desk.bus.wants_events());
  }

  TEST_CASE("an event never waits: a full group loses its oldest") {
    BusDesk desk(small_bus());
    const auto a = desk.join("a", "#");
    for (int i = 0; i < 5; ++i) desk.tell("event.task.failed");
    CHECK(desk.bus.ready(a) == 3);
    CHECK(desk.view("a").dropped == 2);
  }

  TEST_CASE("an event costs no message its place") {
    BusOptions options;
    options.max_messages = 1;
    BusDesk desk(options);
    const auto a = desk.join("a", "#");
    desk.send("t", "kept");
    CHECK(desk.tell("event.task.failed").empty());
    CHECK(desk.bodies(a) == "kept");
  }

  TEST_CASE("a group that joins later gets no earlier event") {
    BusDesk desk;
    desk.join("a", "#");
    desk.tell("event.task.failed");
    CHECK(desk.take(desk.join("b", "#", true)).empty());
  }
}

TEST_SUITE("Bus: a new life") {
  // What a store that was given all these changes would hold.
  struct Store {
    BusSnapshot snapshot;
    void take(const BusChange& change) {
      for (const GroupNo no : change.left) {
        std::erase_if(snapshot.groups, [&](const auto& group) { return group.no == no; });
        std::erase_if(snapshot.acks, [&](const auto& ack) { return ack.group == no; });
      }
      for (const auto& group : change.joined) snapshot.groups.push_back(group);
      for (const auto& message : change.published) snapshot.messages.push_back(message);
      for (const auto& ack : change.acked) snapshot.acks.push_back(ack);
      for (const MessageNo no : change.gone) {
        std::erase_if(snapshot.messages, [&](const auto& message) { return message->no == no; });
        std::erase_if(snapshot.acks, [&](const auto& ack) { return ack.message == no; });
      }
    }
  };

  TEST_CASE("each group gets what it had not acknowledged, and numbers go on") {
    BusDesk desk;
    Store store;
    store.take(desk.bus.join("a", "t", false, desk.now)->change);
    store.take(desk.bus.join("b", "t", false, desk.now)->change);
    std::vector<MessageId> ids;
    for (const char* body : {"1", "2", "3"}) {
      auto published = desk.publish(BusDesk::message("t", body));
      ids.push_back(desk.last_id);
      store.take(published->change);
      desk.bus.persisted(published->no);
    }
    desk.bodies(*desk.bus.find("a"));
    desk.bodies(*desk.bus.find("b"));
    store.take(desk.ack("a", {ids[0], ids[1]}).change);
    store.take(desk.ack("b", {ids[1]}).change);

    BusDesk next({}, 2);
    CHECK(next.bus.restore(store.snapshot, next.now).empty());
    CHECK(next.bodies(*next.bus.find("a")) == "3");
    CHECK(next.bodies(*next.bus.find("b")) == "1 3");
    CHECK(next.publish(BusDesk::message("t"))->no == 4);
  }

  TEST_CASE("a group that joined for what comes does not get what was before, nor lose a number") {
    BusDesk desk;
    Store store;
    for (int i = 0; i < 3; ++i) {
      auto published = desk.publish(BusDesk::message("t"));
      store.take(published->change);
      desk.bus.persisted(published->no);
    }
    store.take(desk.bus.join("late", "t", false, desk.now)->change);
    store.snapshot.messages.clear();  // they expired and went
    BusDesk next({}, 2);
    next.bus.restore(store.snapshot, next.now);
    next.send("t", "new");
    CHECK(next.bodies(*next.bus.find("late")) == "new");
  }

  TEST_CASE("a message from before a group joined stays unread") {
    BusDesk desk;
    Store store;
    store.take(desk.publish(BusDesk::message("t", "early"))->change);
    desk.bus.persisted(1);
    store.take(desk.bus.join("late", "t", false, desk.now)->change);
    BusDesk next({}, 2);
    next.bus.restore(store.snapshot, next.now);
    CHECK(next.take(*next.bus.find("late")).empty());
    CHECK(next.bodies(next.join("early bird", "t", true)) == "early");
  }

  TEST_CASE("what one inbox has confirmed still waits for the other, and only for that") {
    BusDesk desk;
    Store store;
    auto message = BusDesk::message("tag.node");
    message.topics = {"tag.node", "repo.api", "repo.web"};
    store.take(desk.publish(message)->change);
    desk.bus.persisted(1);
    store.take(desk.bus.join("repo.api", "repo.api", true, desk.now)->change);
    desk.take(*desk.bus.find("repo.api"));
    store.take(desk.ack("repo.api", {desk.last_id}).change);
    BusDesk next({}, 2);
    CHECK(next.bus.restore(store.snapshot, next.now).empty());
    CHECK(next.take(*next.bus.find("repo.api")).empty());
    CHECK(next.take(next.join("repo.web", "repo.web", true)).size() == 1);
  }

  TEST_CASE("what expired meanwhile is let go") {
    BusDesk desk;
    Store store;
    auto brief = BusDesk::message("t");
    brief.ttl = Millis(10);
    store.take(desk.publish(brief)->change);
    desk.bus.persisted(1);
    BusDesk next({}, 2);
    next.pass(Millis(10));
    CHECK(next.bus.restore(store.snapshot, next.now).gone == std::vector<MessageNo>{1});
    CHECK(next.bus.counts().messages == 0);
  }
}

}  // namespace mahavishnu::test
