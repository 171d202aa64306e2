#include <doctest/doctest.h>

#include <stdexcept>

#include "base/task_group.h"

using namespace mahavishnu::base;

namespace {

awaitable<void> wait_for_ever(asio::any_io_executor executor, bool& ended) {
  asio::steady_timer never(executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(as_result);
  ended = true;
}

awaitable<void> throws() {
  throw std::runtime_error("on purpose");
  co_return;
}

awaitable<void> join(TaskGroup& group, bool& joined) {
  co_await group.join();
  joined = true;
}

}  // namespace

TEST_SUITE("task group") {
  TEST_CASE("cancel ends what runs and join resumes after the last") {
    asio::io_context io;
    TaskGroup group(io.get_executor(), "test");
    TaskGroup outer(io.get_executor(), "outer");
    bool first = false, second = false, joined = false;
    group.spawn(wait_for_ever(io.get_executor(), first));
    group.spawn(wait_for_ever(io.get_executor(), second));
    outer.spawn(join(group, joined));
    io.poll();
    CHECK(group.size() == 2);
    CHECK(!joined);
    group.cancel();
    group.cancel();
    io.restart();
    io.poll();
    CHECK(first);
    CHECK(second);
    CHECK(joined);
  }

  TEST_CASE("after cancel nothing starts") {
    asio::io_context io;
    TaskGroup group(io.get_executor(), "test");
    group.cancel();
    bool ended = false;
    group.spawn(wait_for_ever(io.get_executor(), ended));
    io.poll();
    CHECK(group.size() == 0);
    CHECK(!ended);
  }

  TEST_CASE("an exception ends its coroutine and nothing else") {
    asio::io_context io;
    TaskGroup group(io.get_executor(), "test");
    group.spawn(throws());
    CHECK_NOTHROW(io.poll());
    CHECK(group.size() == 0);
  }

  TEST_CASE("what begins at once may leave nothing, work, or an exception") {
    asio::io_context io;
    TaskGroup group(io.get_executor(), "test");
    bool ended = false;
    group.start([] { return std::nullopt; });
    CHECK(group.size() == 0);
    CHECK_NOTHROW(
        group.start([]() -> std::optional<awaitable<void>> { throw std::runtime_error("bug"); }));
    CHECK(group.size() == 0);
    group.start([&] { return std::optional(wait_for_ever(io.get_executor(), ended)); });
    io.poll();
    CHECK(group.size() == 1);
    group.cancel();
    group.start([&]() -> std::optional<awaitable<void>> {
      FAIL("it began after cancel");
      return std::nullopt;
    });
    io.poll();
    CHECK(ended);
  }

  TEST_CASE("join on an empty group resumes at once") {
    asio::io_context io;
    TaskGroup group(io.get_executor(), "test");
    TaskGroup outer(io.get_executor(), "outer");
    bool joined = false;
    outer.spawn(join(group, joined));
    io.poll();
    CHECK(joined);
  }
}
