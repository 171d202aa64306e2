// The outbox: from the commit that ends a task to the one that says it was accepted.
#include <doctest/doctest.h>

#include <algorithm>
#include <future>

#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using domain::OutboxItem;
using domain::OutboxOutcome;
using Kind = OutboxOutcome::Kind;

journal::JournalOptions with_outbox(const TempDirectory& directory) {
  journal::JournalOptions options;
  options.directory = directory.path();
  options.ballast_bytes = 0;
  options.memory.outbox = true;
  return options;
}

TaskRecord run_task(World& world, Ids& ids, const std::string& command,
                    const std::string& output = "done") {
  TaskRecord task = queued_task(ids, command);
  REQUIRE(world.commit({TaskAdmitted{task}}));
  auto changed = failure(task);
  changed.result->text = output;
  changed.result->truncated = false;
  REQUIRE(world.commit({changed}));
  return task;
}

std::vector<OutboxItem> next(World& world, std::int64_t after = 0, int limit = 100) {
  auto items = world.journal().outbox().next(after, limit);
  REQUIRE(items);
  return std::move(*items);
}

Status settle(World& world, std::vector<OutboxOutcome> outcomes) {
  std::promise<Status> done;
  world.journal().outbox().settle(std::move(outcomes),
                                  [&done](Status status) { done.set_value(std::move(status)); });
  return done.get_future().get();
}

domain::OutboxCounts counts(World& world) {
  auto counts = world.journal().outbox().counts();
  REQUIRE(counts);
  return *counts;
}

}  // namespace

TEST_SUITE("outbox") {
  TEST_CASE("every task that ends is in it, in the order of the ends, with what it left") {
    TempDirectory directory;
    World world(with_outbox(directory));
    Ids ids;
    const auto first = run_task(world, ids, "make");
    const auto second = run_task(world, ids, "make test", "3 failed");
    const auto items = next(world);
    REQUIRE(items.size() == 2);
    CHECK(items[0].memory.task == first.id);
    CHECK(items[1].memory.task == second.id);
    CHECK(items[1].memory.title == "make test");
    CHECK(items[1].memory.text.find("3 failed") != std::string::npos);
    CHECK(items[0].seq < items[1].seq);
    CHECK(items[0].tries == 0);
  }

  TEST_CASE("without a memory server nothing is put there") {
    TempDirectory directory;
    auto options = with_outbox(directory);
    options.memory.outbox = false;
    World world(std::move(options));
    Ids ids;
    run_task(world, ids, "make");
    CHECK(next(world).empty());
  }

  TEST_CASE("an end that is written twice is in it once") {
    TempDirectory directory;
    World world(with_outbox(directory));
    Ids ids;
    TaskRecord task = queued_task(ids);
    REQUIRE(world.commit({TaskAdmitted{task}}));
    REQUIRE(world.commit({failure(task)}));
    REQUIRE(world.commit({failure(task)}));
    CHECK(next(world).size() == 1);
  }

  TEST_CASE("secrets are taken out before anything can be sent") {
    TempDirectory directory;
    World world(with_outbox(directory));
    Ids ids;
    run_task(world, ids, "deploy --password=hunter2hunter2", "token=abcdef0123456789abcdef");
    const auto item = next(world).at(0);
    CHECK(item.memory.title.find("hunter2") == std::string::npos);
    CHECK(item.memory.text.find("abcdef0123456789") == std::string::npos);
  }

  TEST_CASE("what a caller stores is in it as well, a duplicate is not") {
    TempDirectory directory;
    World world(with_outbox(directory));
    for (int i = 0; i < 2; ++i) {
      domain::NewMemory memory;
      memory.content = "a finding";
      memory.dedup_key = "k";
      bool stored = false;
      world.journal().memories().store(std::move(memory), [&stored](auto) { stored = true; });
      world.run_until([&stored] { return stored; });
    }
    const auto items = next(world);
    REQUIRE(items.size() == 1);
    CHECK(items[0].memory.text == "a finding");
    CHECK(items[0].memory.task.is_null());
  }

  TEST_CASE("it is read in pages") {
    TempDirectory directory;
    World world(with_outbox(directory));
    Ids ids;
    for (int i = 0; i < 5; ++i) run_task(world, ids, "true");
    const auto page = next(world, 0, 3);
    REQUIRE(page.size() == 3);
    CHECK(next(world, page.back().seq, 3).size() == 2);
  }

  TEST_CASE("what was accepted leaves it, also for the next life of the server") {
    TempDirectory directory;
    Ids ids;
    {
      World world(with_outbox(directory));
      run_task(world, ids, "a");
      run_task(world, ids, "b");
      REQUIRE(settle(world, {{next(world)[0].seq, Kind::Accepted, 0, ""}}));
      CHECK(counts(world).waiting == 1);
    }
    World world(with_outbox(directory));
    REQUIRE(next(world).size() == 1);
    CHECK(next(world)[0].memory.title == "b");
  }

  TEST_CASE("tries are kept, dead ones wait until they are revived") {
    TempDirectory directory;
    World world(with_outbox(directory));
    Ids ids;
    run_task(world, ids, "a");
    run_task(world, ids, "b");
    const auto items = next(world);
    REQUIRE(settle(world, {{items[0].seq, Kind::Tried, 2, "refused"},
                           {items[1].seq, Kind::Dead, 5, "refused"}}));
    REQUIRE(next(world).size() == 1);
    CHECK(next(world)[0].tries == 2);
    CHECK(counts(world).dead == 1);
    CHECK(counts(world).oldest.has_value());
    std::promise<Status> done;
    world.journal().outbox().revive([&done](Status status) { done.set_value(std::move(status)); });
    REQUIRE(done.get_future().get());
    REQUIRE(next(world).size() == 2);
    CHECK(next(world)[1].tries == 0);
    CHECK(counts(world).dead == 0);
  }

  TEST_CASE("one can be read again by its number, until it is gone") {
    TempDirectory directory;
    World world(with_outbox(directory));
    Ids ids;
    run_task(world, ids, "a");
    const auto seq = next(world)[0].seq;
    CHECK((*world.journal().outbox().find(seq))->memory.title == "a");
    REQUIRE(settle(world, {{seq, Kind::Accepted, 0, ""}}));
    CHECK_FALSE(world.journal().outbox().find(seq)->has_value());
  }

  TEST_CASE("who waits for more is told") {
    TempDirectory directory;
    World world(with_outbox(directory));
    std::atomic<int> told{0};
    world.journal().outbox().on_grew([&told] { ++told; });
    Ids ids;
    run_task(world, ids, "a");
    CHECK(told == 1);
  }

  TEST_CASE("memories that are let go of leave it unsent, so that it is bounded") {
    TempDirectory directory;
    auto options = with_outbox(directory);
    options.memory.max_count = 3;
    World world(std::move(options));
    Ids ids;
    for (int i = 0; i < 10; ++i) run_task(world, ids, "true");
    while (counts(world).waiting > 3) world.run_until([] { return true; });
    CHECK(counts(world).waiting == 3);
  }
}

}  // namespace mahavishnu::test
