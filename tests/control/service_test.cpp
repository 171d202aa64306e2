#include <doctest/doctest.h>

#include "service_calls.h"

using namespace mahavishnu;
using base::ErrorCode;
using base::Millis;
using control::Wait;
using domain::Reason;
using domain::TaskState;
using support::read;
using support::submitted;
using support::World;

TEST_SUITE("service: tasks") {
  TEST_CASE("a task runs and its end is read back") {
    World world;
    const auto id = submitted(world, World::command("echo hi"));
    REQUIRE(world.executor.started().size() == 1);
    const auto fence = world.executor.started().front();
    world.executor.begin(fence);
    world.executor.end(fence, Reason::Ok, 0, "hi\n");
    world.poll();
    const auto task = read(world, id);
    CHECK(task->status.state == TaskState::Completed);
    CHECK(task->result->text == "hi\n");
    CHECK(task->attempts.size() == 1);
    CHECK(world.executor.attempt(fence).released);
  }

  TEST_CASE("the answer to a submit waits for the disk, and so does the start") {
    World world;
    world.journal.hold = true;
    auto call = world.start(world.service->submit(World::command("true")));
    CHECK(!call->has_value());
    CHECK(world.executor.started().empty());
    world.journal.hold = false;
    world.journal.release();
    world.poll();
    REQUIRE(call->has_value());
    CHECK((*call)->has_value());
    CHECK(world.executor.started().size() == 1);
  }

  TEST_CASE("a submit that cannot be written is refused and leaves nothing") {
    World world;
    world.journal.fail_with = domain::Error{ErrorCode::Exhausted, "the disk is full", 1000};
    auto outcome = world.run(world.service->submit(World::command("true")));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == ErrorCode::Exhausted);
    CHECK(world.service->counts().live == 0);
    CHECK(world.executor.started().empty());
  }

  TEST_CASE("a completion that cannot be written is kept and written when the disk is back") {
    World world;
    const auto id = submitted(world, World::command("true"));
    const auto fence = world.executor.started().front();
    world.journal.fail_with = domain::Error{ErrorCode::Exhausted, "the disk is full", 1000};
    world.executor.begin(fence);
    world.executor.end(fence, Reason::Ok, 0);
    world.poll();
    CHECK(read(world, id)->status.state == TaskState::Running);
    world.journal.fail_with.reset();
    world.advance(Millis{1000});
    CHECK(read(world, id)->status.state == TaskState::Completed);
    world.advance(Millis{2000});
    const auto next = submitted(world, World::command("true"));
    CHECK(world.executor.started().size() == 2);
    CHECK(world.service->cached_task(next));
  }

  TEST_CASE("while changes cannot be written nothing new is started") {
    World world;
    submitted(world, World::command("true"));
    world.journal.fail_with = domain::Error{ErrorCode::Exhausted, "full", 0};
    world.executor.end(world.executor.started().front(), Reason::Ok, 0);
    world.poll();
    world.journal.fail_with.reset();
    world.start(world.service->submit(World::command("true")));
    CHECK(world.executor.started().size() == 1);
    for (int second = 0; second < 3; ++second) world.advance(Millis{1000});
    CHECK(world.executor.started().size() == 2);
  }

  TEST_CASE("a wait returns when the task is done") {
    World world;
    const auto id = submitted(world, World::command("true"));
    auto waiting = world.start(world.service->task(id, Wait{Millis{10000}, false}));
    CHECK(!waiting->has_value());
    world.executor.end(world.executor.started().front(), Reason::ExitCode, 3);
    world.poll();
    REQUIRE(waiting->has_value());
    CHECK((**waiting).value()->status.state == TaskState::Failed);
    CHECK((**waiting).value()->status.reason == Reason::ExitCode);
  }

  TEST_CASE("a wait that is over answers the state as it is") {
    World world;
    const auto id = submitted(world, World::command("sleep 100"));
    auto waiting = world.start(world.service->task(id, Wait{Millis{500}, false}));
    world.advance(Millis{500});
    REQUIRE(waiting->has_value());
    CHECK((**waiting).value()->status.state == TaskState::Running);
  }

  TEST_CASE("until change returns at the first change") {
    World world;
    auto args = World::command("true");
    args.spec.not_before = base::WallTime{world.timers.now().wall + Millis{1000}};
    const auto id = submitted(world, args);
    auto waiting = world.start(world.service->task(id, Wait{Millis{30000}, true}));
    CHECK(!waiting->has_value());
    world.advance(Millis{1000});
    REQUIRE(waiting->has_value());
    CHECK((**waiting).value()->status.state == TaskState::Running);
  }

  TEST_CASE("an unknown task is NotFound and named") {
    World world;
    const domain::TaskId id{{1, 2}};
    auto task = world.run(world.service->task(id));
    REQUIRE(!task);
    CHECK(task.error().code == ErrorCode::NotFound);
    CHECK(task.error().message.find(id.str()) != std::string::npos);
  }

  TEST_CASE("an idempotency key answers the first task, live or ended") {
    World world;
    auto args = World::command("true");
    args.spec.idempotency_key = "k1";
    const auto first = submitted(world, args);
    auto again = world.run(world.service->submit(args));
    CHECK(again->task == first);
    CHECK(again->existing);
    world.executor.end(world.executor.started().front(), Reason::Ok, 0);
    world.poll();
    world.advance(Millis{3600000});
    again = world.run(world.service->submit(args));
    CHECK(again->task == first);
    CHECK(world.executor.started().size() == 1);
  }

  TEST_CASE("a repository is found by nickname and its folder is where the work runs") {
    World world;
    auto args = World::command("true");
    args.spec.repo = "a";
    submitted(world, args);
    const auto& order = world.executor.attempt(world.executor.started().front()).order;
    CHECK(order.cwd == "/repos/api");
    CHECK(order.work.env.at("MAHAVISHNU_REPO") == "api");
  }

  TEST_CASE("an unknown repository is refused") {
    World world;
    auto args = World::command("true");
    args.spec.repo = "apy";
    auto outcome = world.run(world.service->submit(args));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == ErrorCode::NotFound);
  }

  TEST_CASE("a cwd outside the repositories and allowed paths is denied") {
    control::ServiceOptions options;
    options.allowed_paths = {"/allowed"};
    World world(std::move(options));
    for (const char* cwd : {"/etc", "/allowed/../etc", "/allowedx"}) {
      CAPTURE(cwd);
      auto args = World::command("true");
      args.spec.work.cwd = cwd;
      auto outcome = world.run(world.service->submit(args));
      REQUIRE(!outcome);
      CHECK(outcome.error().code == ErrorCode::Denied);
    }
    for (const char* cwd : {"/allowed", "/allowed/deep", "/repos/web/sub"}) {
      CAPTURE(cwd);
      auto args = World::command("true");
      args.spec.work.cwd = cwd;
      CHECK(world.run(world.service->submit(args)));
    }
  }

  TEST_CASE("a relative cwd may not leave its repository") {
    World world;
    auto args = World::command("true");
    args.spec.repo = "api";
    args.spec.work.cwd = "../web";
    auto outcome = world.run(world.service->submit(args));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == ErrorCode::Denied);
  }

  TEST_CASE("the environment is the allow-list, then the pool's, then the task's") {
    control::ServiceOptions options;
    options.env_allow = {"PATH"};
    options.server_env = {{"PATH", "/bin"}, {"SECRET", "s"}};
    World world(std::move(options));
    domain::PoolSpec pool;
    pool.name = "p";
    pool.env = {{"A", "pool"}, {"B", "pool"}};
    REQUIRE(world.run(world.service->spawn_pool(pool)));
    auto args = World::command("true");
    args.pool = "p";
    args.spec.work.env = {{"B", "task"}};
    submitted(world, args);
    const auto& env = world.executor.attempt(world.executor.started().front()).order.work.env;
    CHECK(env.at("PATH") == "/bin");
    CHECK(env.at("A") == "pool");
    CHECK(env.at("B") == "task");
    CHECK(!env.contains("SECRET"));
    CHECK(env.contains("MAHAVISHNU_TASK"));
  }

  TEST_CASE("a client's own variables stand in for the server's, for its own work only") {
    control::ServiceOptions options;
    options.env_allow = {"PATH", "LANG"};
    options.server_env = {{"PATH", "/bin"}, {"LANG", "C"}};
    World world(std::move(options));
    auto args = World::command("true");
    args.spec.client_env = std::make_shared<const domain::StringMap>(
        domain::StringMap{{"PATH", "/mine"}, {"SECRET", "s"}});
    submitted(world, args);
    submitted(world, World::command("true"));
    const auto started = world.executor.started();
    REQUIRE(started.size() == 2);
    const auto& mine = world.executor.attempt(started[0]).order.work.env;
    CHECK(mine.at("PATH") == "/mine");
    CHECK(!mine.contains("LANG"));    // the server's own is somebody else's
    CHECK(!mine.contains("SECRET"));  // not on the allow-list
    const auto& other = world.executor.attempt(started[1]).order.work.env;
    CHECK(other.at("PATH") == "/bin");
    CHECK(other.at("LANG") == "C");
  }

  TEST_CASE("one bad item of a batch fails alone") {
    World world;
    std::vector<domain::Result<control::Service::SubmitArgs>> items;
    items.emplace_back(World::command("true"));
    items.emplace_back(domain::fail(ErrorCode::InvalidArgument, "bad"));
    auto unknown = World::command("true");
    unknown.pool = "nowhere";
    items.emplace_back(unknown);
    items.emplace_back(World::command("true"));
    auto outcome = world.run(world.service->submit_batch(std::move(items)));
    REQUIRE(outcome);
    CHECK(outcome->items[0]);
    CHECK(!outcome->items[1]);
    CHECK(outcome->items[2].error().code == ErrorCode::NotFound);
    CHECK(outcome->items[3]);
  }

  TEST_CASE("a batch is waited for as a whole") {
    World world;
    std::vector<domain::Result<control::Service::SubmitArgs>> items;
    items.emplace_back(World::command("true"));
    items.emplace_back(World::command("true"));
    auto batch = world.run(world.service->submit_batch(std::move(items)));
    auto waiting = world.start(world.service->wait_batch(batch->batch, Wait{Millis{10000}, false}));
    world.executor.end(world.executor.started()[0], Reason::Ok, 0);
    world.poll();
    CHECK(!waiting->has_value());
    world.executor.end(world.executor.started()[1], Reason::Ok, 0);
    world.poll();
    CHECK(waiting->has_value());
  }

  TEST_CASE("a task waits for one that ended before it was submitted") {
    World world;
    const auto first = submitted(world, World::command("true"));
    world.executor.end(world.executor.started().front(), Reason::Ok, 0);
    world.poll();
    world.advance(Millis{7200000});
    auto args = World::command("true");
    args.spec.depends_on = {first};
    submitted(world, args);
    CHECK(world.executor.started().size() == 2);
  }

  TEST_CASE("a dependency that failed long ago ends the task as dependency_failed") {
    World world;
    const auto first = submitted(world, World::command("false"));
    world.executor.end(world.executor.started().front(), Reason::ExitCode, 1);
    world.poll();
    world.advance(Millis{7200000});
    auto args = World::command("true");
    args.spec.depends_on = {first};
    const auto id = submitted(world, args);
    world.poll();
    CHECK(read(world, id)->status.reason == Reason::DependencyFailed);
  }
}

TEST_SUITE("service: attempts") {
  TEST_CASE("an attempt names the machine it runs on") {
    control::ServiceOptions options;
    options.node = "host-7";
    World world(std::move(options));
    const auto id = submitted(world, World::command("true"));
    CHECK(read(world, id)->attempts.front().node == "host-7");
  }
}

TEST_SUITE("service: cancel and output") {
  TEST_CASE("cancel waits until nothing runs and says what is left") {
    World world;
    const auto id = submitted(world, World::command("sleep 100"));
    const auto fence = world.executor.started().front();
    auto call = world.start(world.service->cancel({{id}, std::nullopt, ""}, Millis{10000}));
    CHECK(!call->has_value());
    CHECK(world.executor.attempt(fence).stop == Reason::CancelledByCaller);
    world.executor.end(fence, Reason::CancelledByCaller, std::nullopt);
    world.poll();
    REQUIRE(call->has_value());
    const auto& item = (**call).value().items.front();
    CHECK(item.ended);
    CHECK(!item.already_ended);
    CHECK(item.processes_left == 0);
    CHECK(read(world, id)->status.state == TaskState::Cancelled);
  }

  TEST_CASE("cancelling an ended task says that it had ended") {
    World world;
    const auto id = submitted(world, World::command("true"));
    world.executor.end(world.executor.started().front(), Reason::Ok, 0);
    world.poll();
    auto outcome = world.run(world.service->cancel({{id}, std::nullopt, ""}, Millis{0}));
    CHECK(outcome->items.front().already_ended);
  }

  TEST_CASE("cancelling an unknown task is NotFound") {
    World world;
    auto outcome =
        world.run(world.service->cancel({{domain::TaskId{{1, 1}}}, std::nullopt, ""}, Millis{0}));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == ErrorCode::NotFound);
  }

  TEST_CASE("output is live while it runs, from the record afterwards") {
    World world;
    const auto id = submitted(world, World::command("x"));
    const auto fence = world.executor.started().front();
    world.executor.begin(fence);
    control::OutputQuery query;
    query.wait = Millis{1000};
    auto call = world.start(world.service->output(id, query));
    CHECK(!call->has_value());
    world.executor.write(fence, "half");
    world.poll();
    REQUIRE(call->has_value());
    CHECK((**call).value().text == "half");
    world.executor.end(fence, Reason::Ok, 0, "half and half");
    world.poll();
    auto ended = world.run(world.service->output(id, {}));
    CHECK(ended->text == "half and half");
    CHECK(ended->eof);
  }

  TEST_CASE(
      "long output is read from its spool; once that is removed, it says so and what is left") {
    World world;
    const auto id = submitted(world, World::command("x"));
    world.executor.end(world.executor.started().front(), Reason::Ok, 0, "the end", "/spool/x");
    world.poll();
    CHECK(world.run(world.service->output(id, {}))->text == "spooled in /spool/x");
    world.executor.spools_removed = true;
    auto chunk = world.run(world.service->output(id, {}));
    REQUIRE(chunk);
    CHECK(chunk->text == "[… of 100007 bytes only this end is still kept …]\nthe end");
    CHECK(chunk->dropped_bytes == 100000);
    CHECK(chunk->eof);
    control::OutputQuery query;
    query.offset = 0;
    query.max_bytes = 20;
    chunk = world.run(world.service->output(id, query));
    CHECK(chunk->text == "[… of 100007 bytes only this end is still kept …]\n");
    query.offset = 50000;
    chunk = world.run(world.service->output(id, query));
    REQUIRE_FALSE(chunk);
    CHECK(chunk.error().code == ErrorCode::NotFound);
    CHECK(chunk.error().message.find("without cursor") != std::string::npos);
  }

  TEST_CASE("stdout and stderr of what ended are told apart") {
    World world;
    const auto id = submitted(world, World::command("x"));
    domain::AttemptEnded ended;
    ended.fence = world.executor.started().front();
    ended.reason = Reason::Ok;
    ended.exit_code = 0;
    ended.result.text = "one\ntwo\nthree\n";
    ended.result.streams = "o4e4o6";
    ended.result.output_bytes = ended.result.text.size();
    world.executor.end(std::move(ended));
    world.poll();
    control::OutputQuery query;
    query.stream = domain::OutputStream::Stdout;
    CHECK(world.run(world.service->output(id, query))->text == "one\nthree\n");
    query.stream = domain::OutputStream::Stderr;
    CHECK(world.run(world.service->output(id, query))->text == "two\n");
  }

  TEST_CASE(
      "a page of an output ends before a character that does not fit, the next begins with it") {
    World world;
    const auto id = submitted(world, World::command("x"));
    world.executor.end(world.executor.started().front(), Reason::Ok, 0, "abcdé€");
    world.poll();
    control::OutputQuery query;
    query.offset = 0;
    query.max_bytes = 8;
    const auto first = world.run(world.service->output(id, query));
    CHECK(first->text == "abcdé");
    CHECK_FALSE(first->eof);
    query.offset = static_cast<std::int64_t>(first->next_offset);
    const auto second = world.run(world.service->output(id, query));
    CHECK(second->text == "€");
    CHECK(second->eof);
  }

  TEST_CASE("the tail of an output never starts inside a character") {
    World world;
    const auto id = submitted(world, World::command("x"));
    world.executor.end(world.executor.started().front(), Reason::Ok, 0, "aé€b");
    world.poll();
    control::OutputQuery query;
    query.max_bytes = 3;
    auto chunk = world.run(world.service->output(id, query));
    CHECK(chunk->text.front() != '\x82');
    CHECK(chunk->eof);
  }
}
