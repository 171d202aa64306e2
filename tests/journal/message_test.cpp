// What the message bus writes is what the next start finds.
#include <doctest/doctest.h>

#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

domain::MessagePtr message(Ids& ids, MessageNo no, const std::string& body = "hello") {
  auto made = std::make_shared<Message>();
  made->no = no;
  made->id = ids.next<MessageId>();
  made->topics = {"tag.backend", "repo.a\"b"};
  made->body = body;
  made->headers = {{"kind", "build"}};
  made->sender = "tester";
  made->published = at(1);
  made->expires = at(5000);
  return made;
}

Status write(World& world, BusChange change) {
  std::optional<Status> answer;
  world.journal().messages().append(std::move(change),
                                    [&answer](Status status) { answer = std::move(status); });
  world.run_until([&answer] { return answer.has_value(); });
  return std::move(*answer);
}

BusChange published(std::vector<domain::MessagePtr> messages) {
  BusChange change;
  change.published = std::move(messages);
  return change;
}

BusChange joined(GroupNo no, const std::string& name) {
  BusChange change;
  change.joined = {{no, name, "builds.#", 7, at(9)}};
  return change;
}

}  // namespace

TEST_SUITE("SqliteJournal: messages") {
  TEST_CASE("every field of messages, groups and acks") {
    TempDirectory directory;
    Ids ids;
    const auto first = message(ids, 3, std::string("a\0b", 3));
    Message bare;
    bare.no = 4;
    bare.id = ids.next<MessageId>();
    bare.topics = {"t"};
    {
      World world(options_in(directory));
      REQUIRE(write(world, published({first, std::make_shared<const Message>(bare)})));
      REQUIRE(write(world, joined(2, "one")));
      BusChange acked;
      acked.acked = {{3, 2}};
      REQUIRE(write(world, acked));
      REQUIRE(write(world, acked));  // an ack that is tried again
    }
    World world(options_in(directory));
    const auto found = world.journal().load_messages();
    REQUIRE(found);
    REQUIRE(found->messages.size() == 2);
    const Message& read = *found->messages[0];
    CHECK(read.no == 3);
    CHECK(read.id == first->id);
    CHECK(read.topics == first->topics);
    CHECK(read.body == first->body);
    CHECK(read.headers == first->headers);
    CHECK(read.sender == "tester");
    CHECK(read.published == at(1));
    CHECK(read.expires == at(5000));
    CHECK(read.durable);
    CHECK(found->messages[1]->headers.empty());
    CHECK(found->messages[1]->sender.empty());
    REQUIRE(found->groups.size() == 1);
    const GroupRecord& group = found->groups[0];
    CHECK(group.no == 2);
    CHECK(group.name == "one");
    CHECK(group.pattern == "builds.#");
    CHECK(group.start == 7);
    CHECK(group.joined == at(9));
    REQUIRE(found->acks.size() == 1);
    CHECK(found->acks[0].message == 3);
    CHECK(found->acks[0].group == 2);
  }

  TEST_CASE("what is gone is gone with its acks, and so is a group that left") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    REQUIRE(write(world, published({message(ids, 1), message(ids, 2)})));
    REQUIRE(write(world, joined(1, "one")));
    REQUIRE(write(world, joined(2, "two")));
    BusChange change;
    change.acked = {{1, 1}, {2, 1}, {2, 2}};
    REQUIRE(write(world, change));
    BusChange gone;
    gone.gone = {1};
    gone.left = {2};
    REQUIRE(write(world, gone));
    const auto found = world.journal().load_messages();
    REQUIRE(found->messages.size() == 1);
    CHECK(found->messages[0]->no == 2);
    CHECK(found->groups.size() == 1);
    REQUIRE(found->acks.size() == 1);
    CHECK(found->acks[0].group == 1);
  }

  TEST_CASE("a group leaves and joins anew in one change") {
    TempDirectory directory;
    World world(options_in(directory));
    REQUIRE(write(world, joined(1, "one")));
    BusChange change = joined(2, "one");
    change.left = {1};
    REQUIRE(write(world, change));
    CHECK(world.journal().load_messages()->groups[0].no == 2);
  }

  TEST_CASE("a change that cannot be written fails alone") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    REQUIRE(write(world, joined(1, "one")));
    const auto task = queued_task(ids);
    world.append({TaskAdmitted{task}});
    CHECK_FALSE(write(world, joined(2, "one")).has_value());  // the name is taken
    world.await(1);
    CHECK(world.reports().back().second.has_value());
    CHECK(world.journal().load_messages()->groups.size() == 1);
  }

  TEST_CASE("messages share the transactions of tasks") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    int answers = 0;
    for (MessageNo no = 1; no <= 200; ++no) {
      world.journal().messages().append(published({message(ids, no)}),
                                        [&answers](Status status) { answers += status ? 1 : 0; });
      world.append({TaskAdmitted{queued_task(ids)}});
    }
    world.await(200);
    world.run_until([&] { return answers == 200; });
    CHECK(world.journal().stats().transactions < 200);
    CHECK(world.journal().load_messages()->messages.size() == 200);
  }

  TEST_CASE("on a full disk no message is taken, but acks still make room") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.max_pages = 120;
    options.ballast_bytes = 256U << 10U;
    World world(options);
    Ids ids;
    Status last;
    MessageNo no = 0;
    while (last) last = write(world, published({message(ids, ++no, std::string(8000, 'x'))}));
    CHECK(last.error().code == base::ErrorCode::Exhausted);
    REQUIRE(no > 5);
    BusChange acked;
    acked.acked = {{1, 1}};
    CHECK(write(world, acked));
    BusChange gone;
    for (MessageNo one = 1; one < no; ++one) gone.gone.push_back(one);
    CHECK(write(world, gone));
    CHECK(write(world, published({message(ids, no)})));
  }
}

}  // namespace mahavishnu::test
