// What the journal reports as durable is on the disk, whatever the disk does: power loss at every
// moment, and every call failing in turn.
#include <doctest/doctest.h>

#include <set>

#include "base/log.h"
#include "durability/watched_vfs.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using durability::Files;
using durability::Log;
using durability::Op;
using durability::WatchedVfs;

TaskId task_of(std::uint64_t commit) { return TaskId{{commit, 1}}; }

TaskRecord task_in(std::uint64_t commit) {
  TaskRecord task;
  task.id = task_of(commit);
  task.spec = std::make_shared<const TaskSpec>();
  return task;
}

TaskRecord second_in(std::uint64_t commit) {
  TaskRecord task = task_in(commit);
  task.id.value.low = 2;
  return task;
}

// Which commits' tasks a start finds, and which are there by half.
struct Found {
  std::set<std::uint64_t> whole, half;
};

Found found_on(const Files& files) {
  TempDirectory directory;
  durability::put_files(files, directory.path());
  WatchedVfs::get().watch(directory.path());
  World world(options_in(directory));
  const auto snapshot = world.journal().load();
  REQUIRE_MESSAGE(snapshot, snapshot.error().message);
  CHECK(memories_amiss(directory) == 0);
  std::map<std::uint64_t, int> parts;
  for (const auto& task : snapshot->tasks) ++parts[task.id.value.high];
  Found found;
  for (const auto& [commit, count] : parts) (count == 2 ? found.whole : found.half).insert(commit);
  return found;
}

// Many commits, some alone and some sharing a transaction; every report is marked in the log.
Log log_of_reports(int rounds) {
  TempDirectory directory;
  WatchedVfs& vfs = WatchedVfs::get();
  vfs.watch(directory.path());
  World world(options_in(directory));
  std::size_t marked = 0;
  for (int round = 0; round < rounds; ++round) {
    const std::size_t group = round % 4 == 0 ? 1 : 5;
    for (std::size_t i = 0; i < group; ++i) {
      const std::uint64_t next = world.reports().size() + i + 1;
      world.append({TaskAdmitted{task_in(next)}, TaskAdmitted{second_in(next)}});
    }
    world.await(marked + group);
    for (; marked < world.reports().size(); ++marked) {
      REQUIRE(world.reports()[marked].second);
      vfs.mark(world.reports()[marked].first);
    }
  }
  return vfs.log();
}

std::set<std::uint64_t> told_before(const Log& log, std::size_t end) {
  std::set<std::uint64_t> told;
  for (std::size_t i = 0; i < end; ++i) {
    if (log[i].kind == Op::Kind::Mark) told.insert(log[i].mark);
  }
  return told;
}

void check_power_loss(const Log& log, std::size_t end, domain::Chance* tear) {
  CAPTURE(end);
  const Found found = found_on(disk_at(log, end, tear));
  CHECK(found.half.empty());
  for (const std::uint64_t commit : told_before(log, end)) CHECK(found.whole.contains(commit));
}

// A task is admitted and ends while calls fail; the end is tried again as the shell does.
struct Trouble {
  std::set<std::uint64_t> accepted;
  bool reached = false;  // the failure came
};

Trouble live_through(const TempDirectory& directory, std::size_t at, std::size_t times, int code) {
  WatchedVfs& vfs = WatchedVfs::get();
  vfs.watch(directory.path());
  World world(options_in(directory));
  Trouble trouble;
  vfs.fail(at, times, code);
  for (std::uint64_t n = 1; n <= 6; ++n) {
    if (world.commit({TaskAdmitted{task_in(n)}, TaskAdmitted{second_in(n)}})) {
      trouble.accepted.insert(n);
      vfs.mark(n);
    }
  }
  for (const std::uint64_t n : trouble.accepted) {
    const auto end = change(task_in(n), TaskState::Completed, 2);
    int tries = 1;
    while (!world.commit({end})) REQUIRE(++tries < 100);
    CHECK(world.task(task_of(n))->status.state == TaskState::Completed);
  }
  trouble.reached = vfs.failed() > 0;
  int tries = 1;
  while (!world.commit({TaskAdmitted{task_in(99)}, TaskAdmitted{second_in(99)}})) {
    REQUIRE(++tries < 10);  // it recovers
  }
  return trouble;
}

// Every call in turn, until the failure lies beyond the last one.
void fail_each_call(int code, std::size_t times) {
  base::log()->set_level(spdlog::level::off);  // it complains as it should, some hundred times
  std::size_t at = 0;
  for (bool reached = true; reached; at += at < 40 ? 1 : 3) {
    CAPTURE(at);
    TempDirectory directory;
    const Trouble trouble = live_through(directory, at, times, code);
    reached = trouble.reached;
    const Log log = WatchedVfs::get().log();
    const Found found = found_on(disk_at(log, log.size(), nullptr));
    for (const std::uint64_t n : trouble.accepted) {
      CHECK((found.whole.contains(n) || found.half.contains(n)));  // half: the other one has ended
    }
    CHECK(found.whole.contains(99));
    REQUIRE(at < 1000);
  }
  CHECK(at > 10);  // a dozen transactions, at least a call each
  base::log()->set_level(spdlog::level::warn);
}

}  // namespace

TEST_SUITE("durability of the journal") {
  TEST_CASE("every report follows a sync that covers it") {
    const Log log = log_of_reports(24);
    std::size_t reports = 0;
    for (std::size_t end = 1; end <= log.size(); ++end) {
      if (log[end - 1].kind != Op::Kind::Mark) continue;
      ++reports;
      if (reports % 3 == 0 || end == log.size()) check_power_loss(log, end, nullptr);
    }
    CHECK(reports > 80);
  }

  TEST_CASE("a power loss at any moment loses nothing that was reported, and halves nothing") {
    const Log log = log_of_reports(8);
    domain::Chance tear(17);
    for (std::size_t end = 0; end <= log.size(); end += 1 + tear.draw() % 2) {
      check_power_loss(log, end, nullptr);
      check_power_loss(log, end, &tear);
    }
  }

  TEST_CASE("a disk that lies about its syncs would be found out") {
    Log log = log_of_reports(6);
    std::erase_if(log, [](const Op& op) { return op.kind == Op::Kind::Sync; });
    const Found found = found_on(disk_at(log, log.size(), nullptr));
    CHECK(found.whole.empty());
    CHECK(told_before(log, log.size()).size() > 10);
  }

  TEST_CASE("a full disk at any write") { fail_each_call(SQLITE_FULL, 3); }
  TEST_CASE("an I/O error at any write") { fail_each_call(SQLITE_IOERR_WRITE, 2); }
  TEST_CASE("a sync that fails, any of them") { fail_each_call(SQLITE_IOERR_FSYNC, 2); }
}

}  // namespace mahavishnu::test
