// The service while its journal or its executors are in trouble: found by the simulation.
#include <doctest/doctest.h>

#include "support/world.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using domain::Reason;
using support::HandExecutor;
using support::World;

namespace {

const domain::Error kFull{ErrorCode::Exhausted, "the disk is full", 1000};

// The end of a running task cannot be written: it is tried again every second.
void hold_up(World& world) {
  world.journal.fail_with = kFull;
  world.executor.end(world.executor.started().back(), Reason::Ok, 0);
  world.poll();
}

control::Service::SubmitArgs keyed(const char* key) {
  auto args = World::command("true");
  args.spec.idempotency_key = key;
  return args;
}

}  // namespace

TEST_SUITE("service: trouble") {
  TEST_CASE("a batch is not told of a task whose admission failed in another's commit") {
    World world;
    REQUIRE(world.run(world.service->submit(World::command("true"))));
    hold_up(world);
    world.journal.hold = true;
    auto first = world.start(world.service->submit(keyed("k")));
    std::vector<domain::Result<control::Service::SubmitArgs>> items;
    items.emplace_back(keyed("k"));
    items.emplace_back(World::command("true"));
    auto batch = world.start(world.service->submit_batch(std::move(items)));
    world.journal.release_one();  // the first's admission, and it fails
    world.poll();
    world.journal.fail_with.reset();
    world.journal.hold = false;
    world.journal.release();
    world.advance(Millis{1000});
    REQUIRE(first->has_value());
    CHECK(!**first);
    REQUIRE(batch->has_value());
    CHECK(!(**batch)->items[0]);
    CHECK((**batch)->items[1]);
  }

  TEST_CASE("a pool change that is tried again does not undo a newer one") {
    World world;
    const auto scale = [&](int target) {
      return world.start(world.service->scale_pool("default", target, std::nullopt));
    };
    world.journal.fail_with = kFull;
    auto first = scale(1);
    world.journal.fail_with.reset();
    auto second = scale(3);
    world.advance(Millis{1000});
    CHECK(first->has_value());
    CHECK(second->has_value());
    CHECK(world.journal.snapshot(2).pools.front().target_workers == 3);
  }

  TEST_CASE("an end that one executor reports while another recovers is not lost") {
    asio::io_context io;
    support::ManualTimers timers;
    support::MemoryJournal journal(io.get_executor());
    World former;
    auto running = former.run(former.service->submit(World::command("true")));
    REQUIRE(running);
    const auto fence = former.executor.started().front();
    journal.take_over(former.journal);
    HandExecutor quick;
    HandExecutor slow;
    slow.late_recovery = true;
    quick.found = {{running->task, 1, fence}};
    control::Service service(io.get_executor(), {}, timers, journal, journal,
                             {{"a", &quick}, {"shell", &slow}});
    bool started = false;
    asio::co_spawn(io, service.start(former.journal.snapshot(2), 4),
                   [&](const std::exception_ptr&, const domain::Status&) { started = true; });
    io.poll();
    quick.end(fence, Reason::Ok, 0);
    slow.recover_now();
    io.restart();
    io.poll();
    CHECK(started);
    CHECK(service.counts().live == 0);
    CHECK(journal.all_tasks().at(running->task).status.state == domain::TaskState::Completed);
    service.stop();
  }
}
