// What clients of the service are told stands on the disk: shell and journal with real files.
#include <doctest/doctest.h>

#include <set>

#include "control/service.h"
#include "durability/watched_vfs.h"
#include "journal/world.h"
#include "support/hand_executor.h"
#include "support/manual_timers.h"

namespace mahavishnu::test {
namespace {

using durability::Log;
using durability::Op;
using durability::WatchedVfs;

// Service over a SqliteJournal in `directory`; time moves by hand.
struct Server {
  explicit Server(const TempDirectory& directory) : guard(asio::make_work_guard(io)) {
    auto opened = journal::SqliteJournal::open(io.get_executor(), options_in(directory));
    if (!opened) FAIL(opened.error().message);
    sqlite = std::move(*opened);
    auto snapshot = sqlite->load();
    REQUIRE(snapshot);
    executor.end_on_start = true;
    service = std::make_unique<control::Service>(
        io.get_executor(), control::ServiceOptions{}, timers, *sqlite, *sqlite,
        std::map<std::string, domain::Executor*>{{"shell", &executor}});
    REQUIRE(run(service->start(std::move(*snapshot), 4)));
  }
  ~Server() {
    service->stop();
    sqlite->stop();
  }

  template <class T>
  T run(base::awaitable<T> call) {
    std::optional<T> outcome;
    asio::co_spawn(io, std::move(call), [&](const std::exception_ptr& thrown, T value) {
      if (thrown) std::rethrow_exception(thrown);
      outcome.emplace(std::move(value));
    });
    while (!outcome) io.run_one();
    return std::move(*outcome);
  }

  TaskId submit(std::vector<TaskId> after = {}) {
    control::Service::SubmitArgs args;
    args.spec.work.command = "true";
    args.spec.depends_on = std::move(after);
    auto answer = run(service->submit(std::move(args)));
    REQUIRE_MESSAGE(answer, answer.error().message);
    return answer->task;
  }
  // Waits for the task's end, an hour of simulated time at most.
  TaskState wait(TaskId id) {
    auto task = run(service->task(id, control::Wait{Millis{3600000}, false}));
    REQUIRE(task);
    return (*task)->status.state;
  }

  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> guard;
  support::ManualTimers timers;
  support::HandExecutor executor;
  std::unique_ptr<journal::SqliteJournal> sqlite;
  std::unique_ptr<control::Service> service;  // last: it uses all of the above
};

}  // namespace

TEST_SUITE("durability of what the service says") {
  TEST_CASE("accepted tasks and shown ends are on disk when a client hears of them") {
    TempDirectory directory;
    WatchedVfs::get().watch(directory.path());
    std::vector<TaskId> tasks;
    Log log;
    {
      Server server(directory);
      for (std::uint64_t n = 1; n <= 12; ++n) {
        tasks.push_back(server.submit());
        WatchedVfs::get().mark(2 * n);  // accepted
        REQUIRE(server.wait(tasks.back()) == TaskState::Completed);
        WatchedVfs::get().mark(2 * n + 1);  // shown to have ended
      }
      log = WatchedVfs::get().log();
    }
    for (std::size_t end = 1; end <= log.size(); ++end) {
      if (log[end - 1].kind != Op::Kind::Mark) continue;
      CAPTURE(log[end - 1].mark);
      TempDirectory after;
      durability::put_files(disk_at(log, end, nullptr), after.path());
      World world(options_in(after));
      CHECK(memories_amiss(after) == 0);
      const auto task = world.task(tasks[log[end - 1].mark / 2 - 1]);
      REQUIRE(task);
      if (log[end - 1].mark % 2 == 1) CHECK(task->status.state == TaskState::Completed);
    }
  }

  TEST_CASE("a power loss at any moment leaves one memory of each task that ended, and no other") {
    TempDirectory directory;
    WatchedVfs::get().watch(directory.path());
    {
      Server server(directory);
      std::vector<TaskId> tasks;
      for (int n = 0; n < 8; ++n) tasks.push_back(server.submit());
      for (const TaskId task : tasks) REQUIRE(server.wait(task) == TaskState::Completed);
    }
    const Log log = WatchedVfs::get().log();
    domain::Chance tear(23);
    std::set<std::int64_t> seen;
    const auto look = [&](std::size_t end) {
      CAPTURE(end);
      TempDirectory after;
      durability::put_files(disk_at(log, end, &tear), after.path());
      World world(options_in(after));
      CHECK(memories_amiss(after) == 0);
      seen.insert(world.journal().stats().memories);
    };
    for (std::size_t end = 0; end < log.size(); end += 1 + tear.draw() % 2) look(end);
    look(log.size());
    CHECK(seen.contains(0));
    CHECK(seen.contains(8));
  }

  TEST_CASE("after a restart what depends on ended work runs") {
    TempDirectory directory;
    TaskId first, second;
    {
      Server server(directory);
      first = server.submit();
      REQUIRE(server.wait(first) == TaskState::Completed);
      REQUIRE(server.run(server.service->scale_pool("default", 0, std::nullopt)));
      second = server.submit({first});
    }
    Server server(directory);
    REQUIRE(server.run(server.service->scale_pool("default", 4, std::nullopt)));
    CHECK(server.wait(second) == TaskState::Completed);
  }
}

}  // namespace mahavishnu::test
