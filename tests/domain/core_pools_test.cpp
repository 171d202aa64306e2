#include <doctest/doctest.h>

#include "domain/desk.h"

using namespace mahavishnu::domain;
using namespace mahavishnu::domain::tests;

namespace {

TaskSpec in(PoolId pool, std::string caller = "") {
  TaskSpec spec;
  spec.pool = pool;
  spec.caller = std::move(caller);
  return spec;
}

PoolSpec named(std::string name) {
  PoolSpec spec;
  spec.name = std::move(name);
  return spec;
}

}  // namespace

TEST_SUITE_BEGIN("a pool");

TEST_CASE("it is known by name and id once it is on disk") {
  Desk desk;
  const PoolId id = desk.pool("gpu");
  CHECK(desk.core.find_pool("gpu").value() == id);
  CHECK(desk.core.find_pool(id.str()).value() == id);
  CHECK(desk.core.find_pool("gpi").error().message == "no pool \"gpi\"; did you mean \"gpu\"?");
  desk.step(SpawnPool{++desk.ticket, PoolId{desk.ids.next(desk.now.wall)}, named("late")});
  CHECK_FALSE(desk.core.find_pool("late").has_value());
}

TEST_CASE("the same name with the same settings answers the pool that is there") {
  Desk desk;
  const PoolId id = desk.pool(named("a"));
  desk.pool(named("a"));
  CHECK(desk.answer<PoolAnswer>().id == id);
  CHECK(desk.answer<PoolAnswer>().existing);
}

TEST_CASE("the same name with other settings is a conflict that names the first one") {
  Desk desk;
  desk.pool(named("a"));
  PoolSpec other = named("a");
  other.max_queue = 5;
  other.env["X"] = "1";
  desk.pool(other);
  CHECK(desk.answer<Error>().code == ErrorCode::Conflict);
  CHECK(desk.answer<Error>().message.find("another max_queue;") != std::string::npos);
}

TEST_CASE("bad names and sizes are refused") {
  Desk desk;
  for (const char* name : {"", "Gpu", "-a", "a b", "ä"}) {
    desk.pool(named(name));
    CHECK(desk.answer<Error>().code == ErrorCode::InvalidArgument);
  }
  for (const int workers : {0, 10001}) {
    desk.pool("a", workers);
    CHECK(desk.answer<Error>().code == ErrorCode::InvalidArgument);
  }
  CHECK(desk.core.counts().pools == 0);
}

TEST_CASE("a spawn the disk refused leaves no pool, and tells everyone who asked for it") {
  Desk desk;
  const PoolId id{desk.ids.next(desk.now.wall)};
  desk.step(SpawnPool{1, id, named("a")});
  desk.step(SpawnPool{2, PoolId{desk.ids.next(desk.now.wall)}, named("a")});
  CHECK(desk.replies.at(2).after == 1);
  desk.step(PersistFailed{1, Error{ErrorCode::Exhausted, "disk full", 0}});
  CHECK(std::get<Error>(desk.replies.at(1).body).message == "disk full");
  CHECK(std::get<Error>(desk.replies.at(2).body).message == "disk full");
  CHECK(desk.core.counts().pools == 0);
}

TEST_CASE("a full one refuses and says when to come back") {
  Desk desk;
  const PoolId gpu = desk.pool("gpu", 1, 2);
  for (int i = 0; i < 3; ++i) desk.submit(in(gpu));
  desk.submit(in(gpu));
  CHECK(desk.item().refused->message ==
        "pool \"gpu\" is full (2 queued); retry in 2 s or raise max_queue");
  CHECK(desk.item().refused->code == ErrorCode::Exhausted);
  CHECK(desk.item().refused->retry_after_ms == 2000);
}

TEST_CASE("admissions under way count as queued") {
  Desk desk;
  const PoolId gpu = desk.pool("gpu", 1, 2);
  for (int i = 0; i < 3; ++i) desk.offer(in(gpu));
  CHECK(desk.item().refused.has_value());
}

TEST_CASE("without a fitting pool the answer names what there is") {
  Desk desk;
  desk.pool("a");
  TaskSpec spec;
  spec.worker_type = "python";
  desk.submit(spec);
  CHECK(desk.item().refused->message ==
        "no pool of worker type \"python\"; there is shell; make one with pool_spawn");
  CHECK(desk.item().refused->code == ErrorCode::Unavailable);
}

TEST_CASE("scaling up starts what waits; scaling down lets what runs finish") {
  Desk desk;
  const PoolId pool = desk.pool("a", 4);
  desk.step(ScalePool{++desk.ticket, pool, 1, {}});
  std::vector<TaskId> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(desk.submit(in(pool)));
  CHECK(desk.core.pool(pool)->running == 1);
  desk.step(ScalePool{++desk.ticket, pool, 4, {}});
  desk.settle();
  CHECK(desk.core.pool(pool)->running == 4);
  desk.step(ScalePool{++desk.ticket, pool, 1, {}});
  CHECK(desk.core.pool(pool)->running == 4);
  CHECK(desk.core.pool(pool)->record.state == PoolState::Scaling);
  const TaskId next = desk.submit(in(pool));
  for (int i = 0; i < 3; ++i) desk.end(tasks[static_cast<std::size_t>(i)]);
  CHECK_FALSE(desk.running(next));
  desk.end(tasks[3]);
  CHECK(desk.running(next));
}

TEST_CASE("scaling beyond max_workers is refused and says so") {
  Desk desk;
  const PoolId pool = desk.pool("a", 4);
  desk.step(ScalePool{++desk.ticket, pool, 5, {}});
  CHECK(desk.answer<Error>().message ==
        "target_workers is 5; pool \"a\" takes 0 to max_workers (4)");
}

TEST_CASE("a paused one queues and places nothing until it is resumed") {
  Desk desk;
  const PoolId pool = desk.pool("a");
  desk.step(ScalePool{++desk.ticket, pool, {}, true});
  const TaskId task = desk.submit(in(pool));
  CHECK_FALSE(desk.running(task));
  CHECK(desk.core.pool(pool)->record.state == PoolState::Paused);
  desk.submit();
  CHECK(desk.item().refused->message.find("\"a\" is paused") != std::string::npos);
  desk.step(ScalePool{++desk.ticket, pool, {}, false});
  CHECK(desk.running(task));
}

TEST_CASE("closed, it finishes what it has, takes nothing, and is gone when empty") {
  Desk desk;
  const PoolId pool = desk.pool("a", 1);
  const TaskId first = desk.submit(in(pool));
  const TaskId second = desk.submit(in(pool));
  desk.step(ClosePool{++desk.ticket, pool, false});
  CHECK(desk.core.pool(pool)->record.state == PoolState::Draining);
  desk.submit(in(pool));
  CHECK(desk.item().refused->code == ErrorCode::Unavailable);
  desk.end(first);
  desk.end(second);
  CHECK(desk.state(second) == TaskState::Completed);
  CHECK(desk.removed == std::vector<PoolId>{pool});
  CHECK_FALSE(desk.core.pool(pool).has_value());
}

TEST_CASE("closed without workers it gets one, so that it can empty") {
  Desk desk;
  const PoolId pool = desk.pool("a", 2);
  desk.step(ScalePool{++desk.ticket, pool, 0, {}});
  const TaskId task = desk.submit(in(pool));
  desk.step(ClosePool{++desk.ticket, pool, false});
  CHECK(desk.running(task));
  desk.step(ScalePool{++desk.ticket, pool, 0, {}});
  CHECK(desk.answer<Error>().code == ErrorCode::Conflict);
}

TEST_CASE("closed now, it cancels what is queued and stops what runs") {
  Desk desk;
  const PoolId pool = desk.pool("a", 1);
  const TaskId first = desk.submit(in(pool));
  const TaskId second = desk.submit(in(pool));
  desk.step(ClosePool{++desk.ticket, pool, true});
  desk.settle();
  CHECK(desk.state(second) == TaskState::Cancelled);
  CHECK(desk.stops.back().second == Reason::CancelledByCaller);
  desk.end(first, Reason::CancelledByCaller);
  CHECK(desk.state(first) == TaskState::Cancelled);
  CHECK(desk.removed == std::vector<PoolId>{pool});
}

TEST_CASE("an empty one is gone at once") {
  Desk desk;
  const PoolId pool = desk.pool("a");
  desk.step(ClosePool{++desk.ticket, pool, false});
  CHECK(desk.removed == std::vector<PoolId>{pool});
}

TEST_CASE("its status counts slots, tasks and how long the oldest waits") {
  Desk desk;
  const PoolId pool = desk.pool("a", 1);
  desk.submit(in(pool));
  const WallTime queued = desk.now.wall;
  desk.submit(in(pool));
  desk.advance(Millis(500));
  const PoolStatus status = *desk.core.pool(pool);
  CHECK(status.total == 1);
  CHECK(status.busy == 1);
  CHECK(status.idle == 0);
  CHECK(status.queued == 1);
  CHECK(status.oldest_queued == queued);
}

TEST_CASE("pools take turns for the server's capacity") {
  CoreOptions options;
  options.max_running = 1;
  Desk desk(options);
  const PoolId a = desk.pool("a");
  const PoolId b = desk.pool("b");
  desk.submit(in(desk.pool("c")));
  for (int i = 0; i < 3; ++i) desk.submit(in(a));
  for (int i = 0; i < 3; ++i) desk.submit(in(b));
  while (desk.order.size() < 7) desk.end(desk.order.back());
  std::vector<PoolId> turns;
  for (const TaskId task : desk.order) turns.push_back(desk.starts.at(task).pool);
  turns.erase(turns.begin());
  CHECK(turns == std::vector<PoolId>{a, b, a, b, a, b});
}

TEST_SUITE_END();
