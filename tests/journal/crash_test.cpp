// What was acknowledged is there after a kill: a child appends and writes the numbers of durable
// commits to a pipe; the parent kills it after some number of them and looks.
#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>
#include <set>

#include "journal/world.h"

namespace mahavishnu::test {
namespace {

constexpr CommitNo kInFlight = 64;

// Two tasks a commit, so that half a commit would show.
TaskId task_of(std::uint64_t round, CommitNo commit, std::uint64_t half) {
  return TaskId{{(round << 32U) | commit, half}};
}

std::shared_ptr<const std::vector<Record>> records_of(std::uint64_t round, CommitNo commit) {
  std::vector<Record> records;
  for (std::uint64_t half = 1; half <= 2; ++half) {
    TaskRecord task;
    task.id = task_of(round, commit, half);
    task.spec = std::make_shared<const TaskSpec>();
    records.push_back(TaskAdmitted{task});
  }
  return std::make_shared<const std::vector<Record>>(std::move(records));
}

[[noreturn]] void append_until_killed(const journal::JournalOptions& options, std::uint64_t round,
                                      int pipe) {
  asio::io_context context;
  const auto guard = asio::make_work_guard(context);
  auto journal = journal::SqliteJournal::open(context.get_executor(), options);
  if (!journal) ::_exit(3);
  CommitNo last = 0;
  const auto more = [&] {
    ++last;
    (*journal)->append(last, records_of(round, last));
  };
  (*journal)->on_done([&](CommitNo commit, const Status& status) {
    if (!status || ::write(pipe, &commit, sizeof commit) != sizeof commit) ::_exit(4);
    more();
  });
  for (CommitNo i = 0; i < kInFlight; ++i) more();
  context.run();
  ::_exit(5);
}

// Reads `count` acknowledgements, kills, then reads what was written before the kill.
CommitNo kill_after(pid_t child, int pipe, int count) {
  CommitNo acknowledged = 0;
  CommitNo commit = 0;
  while (::read(pipe, &commit, sizeof commit) == sizeof commit) {
    acknowledged = std::max(acknowledged, commit);
    if (--count == 0) ::kill(child, SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
  return acknowledged;
}

}  // namespace

TEST_SUITE("SqliteJournal: kill -9") {
  TEST_CASE("nothing that was acknowledged is missing, and no commit is there by half") {
    TempDirectory directory;
    const auto options = options_in(directory);
    std::mt19937 chance(11);
    std::size_t expected_at_least = 0;
    for (std::uint64_t round = 1; round <= 20; ++round) {
      int ends[2];
      REQUIRE(::pipe(ends) == 0);
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        ::close(ends[0]);
        append_until_killed(options, round, ends[1]);
      }
      ::close(ends[1]);
      const CommitNo acknowledged =
          kill_after(child, ends[0], std::uniform_int_distribution<int>(1, 700)(chance));
      ::close(ends[0]);

      World world(options);
      const auto snapshot = world.journal().load();
      REQUIRE(snapshot);
      std::set<TaskId> found;
      for (const auto& task : snapshot->tasks) found.insert(task.id);
      for (CommitNo commit = 1; commit <= acknowledged; ++commit) {
        CHECK(found.contains(task_of(round, commit, 1)));
      }
      for (const auto id : found) {
        CHECK(found.contains(TaskId{{id.value.high, 3 - id.value.low}}));
      }
      expected_at_least += 2 * acknowledged;
      CHECK(found.size() >= expected_at_least);
    }
  }
}

}  // namespace mahavishnu::test
