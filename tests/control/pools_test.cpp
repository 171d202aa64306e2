#include <doctest/doctest.h>

#include "service_calls.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using domain::Reason;
using support::submitted;
using support::World;

namespace {

domain::PoolId pool_that_keeps(World& world, int workers) {
  domain::PoolSpec spec;
  spec.name = "p";
  spec.min_workers = workers;
  const auto pool = world.run(world.service->spawn_pool(spec));
  REQUIRE(pool);
  return pool->id;
}

}  // namespace

TEST_SUITE("service: pools") {
  TEST_CASE("a worker type nobody provides is refused") {
    World world;
    domain::PoolSpec spec;
    spec.name = "p";
    spec.worker_type = "gpu";
    const auto answer = world.run(world.service->spawn_pool(spec));
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == ErrorCode::InvalidArgument);
    CHECK(answer.error().message.find("\"gpu\"") != std::string::npos);
  }

  TEST_CASE("a pool that was spawned is listed, and the time it took is clocked") {
    World world;
    domain::PoolSpec spec;
    spec.name = "p";
    REQUIRE(world.run(world.service->spawn_pool(spec)));
    CHECK(world.service->pools().size() == 2);
    const auto spawned = [&world] {  // the default one, too
      return world.service->metrics(Millis{300000}).latency.at("pool.spawn").count;
    };
    CHECK(spawned() == 2);
    const auto again = world.run(world.service->spawn_pool(spec));
    REQUIRE(again);
    CHECK(again->existing);
    CHECK(spawned() == 2);
  }

  TEST_CASE("a pool's executor is told how many workers to keep ready, whatever becomes of it") {
    World world;
    const auto pool = pool_that_keeps(world, 3);
    const auto& asked = world.executor.ready;
    CHECK(asked.at(pool) == 3);
    REQUIRE(world.run(world.service->scale_pool("p", 2, std::nullopt)));
    CHECK(asked.at(pool) == 2);
    REQUIRE(world.run(world.service->scale_pool("p", 4, true)));
    CHECK(asked.at(pool) == 3);
    auto args = World::command("true");
    args.pool = "p";
    REQUIRE(world.run(world.service->scale_pool("p", std::nullopt, false)));
    submitted(world, args);
    const auto closing = world.start(world.service->close_pool("p", false, Millis{1000}));
    CHECK_FALSE(closing->has_value());  // it drains
    CHECK(asked.at(pool) == 0);
  }

  TEST_CASE("the workers of a pool of a former life are asked for anew") {
    World former;
    const auto pool = pool_that_keeps(former, 2);
    World world({}, former.journal.snapshot(2), {}, &former.journal);
    CHECK(world.executor.ready.at(pool) == 2);
    REQUIRE(world.run(world.service->close_pool("p", true, Millis{0})));
    CHECK(world.executor.ready.at(pool) == 0);
  }

  TEST_CASE("a pool is told of when its workers are up, or after a second") {
    World world;
    world.executor.late_workers = true;
    domain::PoolSpec spec;
    spec.name = "p";
    spec.min_workers = 1;
    const auto waits = world.start(world.service->spawn_pool(spec));
    CHECK_FALSE(waits->has_value());
    CHECK(world.service->pool("p"));
    world.executor.up();
    world.poll();
    REQUIRE(waits->has_value());
    CHECK(**waits);
    spec.name = "q";
    const auto longer = world.start(world.service->spawn_pool(spec));
    world.advance(Millis(999));
    CHECK_FALSE(longer->has_value());
    world.advance(Millis(1));
    REQUIRE(longer->has_value());
    CHECK(**longer);
  }

  TEST_CASE("a paused pool starts nothing until it goes on") {
    World world;
    REQUIRE(world.run(world.service->scale_pool("default", std::nullopt, true)));
    auto args = World::command("true");
    args.pool = "default";
    submitted(world, args);
    CHECK(world.executor.started().empty());
    CHECK(world.service->pool("default")->queued == 1);
    CHECK(world.service->explain_pool("default")->sentence.find("paused") != std::string::npos);
    REQUIRE(world.run(world.service->scale_pool("default", std::nullopt, false)));
    CHECK(world.executor.started().size() == 1);
  }

  TEST_CASE("a pool that is not there is NotFound for every call") {
    World world;
    CHECK(world.run(world.service->scale_pool("none", 1, std::nullopt)).error().code ==
          ErrorCode::NotFound);
    CHECK(world.run(world.service->close_pool("none", true, Millis{0})).error().code ==
          ErrorCode::NotFound);
    CHECK(world.service->pool("none").error().code == ErrorCode::NotFound);
    CHECK(world.service->explain_pool("none").error().code == ErrorCode::NotFound);
  }

  TEST_CASE("closing now cancels what waits and says what still drains") {
    World world;
    domain::PoolSpec spec;
    spec.name = "p";
    spec.max_workers = 1;
    REQUIRE(world.run(world.service->spawn_pool(spec)));
    auto args = World::command("true");
    args.pool = "p";
    submitted(world, args);
    submitted(world, args);
    auto call = world.start(world.service->close_pool("p", true, Millis{1000}));
    CHECK(!call->has_value());
    world.advance(Millis{1000});
    REQUIRE(call->has_value());
    CHECK((**call).value().cancelled == 1);
    CHECK((**call).value().still_draining == 1);
    world.executor.end(world.executor.started().front(), Reason::CancelledByCaller, std::nullopt);
    world.poll();
    CHECK(!world.service->pool("p"));
  }

  TEST_CASE("a report has what a pool's tasks waited and ran, and leaves out pools that are gone") {
    World world;
    submitted(world, World::command("true"));
    const auto fence = world.executor.started().front();
    world.executor.begin(fence);
    world.timers.advance(Millis{20});
    world.executor.end(fence, Reason::Ok, 0);
    world.poll();
    const auto id = world.service->pool("default")->record.id;
    const auto reports = world.service->monitor({id, domain::PoolId{{9, 9}}});
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].status.completed == 1);
    CHECK(reports[0].queue_wait.count == 1);
    CHECK(reports[0].run_time.max == doctest::Approx(20));
    CHECK(reports[0].per_minute_1 == doctest::Approx(1));
  }

  TEST_CASE("memory is a sum over what runs, unknown where it cannot be told or comes too late") {
    World world;
    for (int i = 0; i < 2; ++i) {
      submitted(world, World::command("true"));
      world.executor.begin(world.executor.started().back());
    }
    world.poll();
    const auto id = world.service->pool("default")->record.id;
    CHECK(world.run(world.service->pool_memory(Millis{100})).at(id) == 2000);
    world.executor.resident_bytes = -1;
    world.advance(Millis{5000});  // what is kept is too old now
    CHECK(world.run(world.service->pool_memory(Millis{100})).at(id) == std::nullopt);
    world.executor.resident_bytes.reset();
    world.advance(Millis{5000});
    auto late = world.start(world.service->pool_memory(Millis{100}));
    CHECK(!late->has_value());
    world.advance(Millis{100});
    REQUIRE(late->has_value());
    CHECK((**late).at(id) == std::nullopt);
  }
}
