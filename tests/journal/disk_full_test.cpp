#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

// Admits tasks of a page's size until the disk takes no more; those that were taken.
std::vector<TaskRecord> fill(World& world, Ids& ids) {
  std::vector<TaskRecord> taken;
  for (;;) {
    auto task = queued_task(ids, std::string(1900, 'x'));
    const auto status = world.commit({TaskAdmitted{task}});
    if (!status) {
      CHECK(status.error().code == base::ErrorCode::Exhausted);
      CHECK(status.error().retry_after_ms > 0);
      return taken;
    }
    taken.push_back(std::move(task));
    REQUIRE(taken.size() < 100000);
  }
}

TaskChanged large_end(const TaskRecord& task) {
  auto changed = failure(task, 9);
  changed.result->text = std::string(8000, 'y');
  return changed;
}

journal::JournalOptions small_disk(const TempDirectory& directory) {
  auto options = options_in(directory);
  options.max_pages = 60;
  options.ballast_bytes = 40 * 4096;
  return options;
}

// A file system of its own, or none where that is not permitted.
class SmallDisk {
 public:
  explicit SmallDisk(const char* size) {
    mounted_ = ::mount("tmpfs", directory_.path().c_str(), "tmpfs", 0, size) == 0;
  }
  ~SmallDisk() {
    if (mounted_) ::umount2(directory_.path().c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  const TempDirectory& directory() const { return directory_; }
  std::filesystem::path filler() const { return directory_.path() / "filler"; }

  // Takes all room but so much.
  void leave(std::uint64_t bytes) const {
    const auto available = std::filesystem::space(directory_.path()).available;
    if (available <= bytes) return;
    const int fd = ::open(filler().c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    REQUIRE(::posix_fallocate(fd, 0, static_cast<off_t>(available - bytes)) == 0);
    ::close(fd);
  }

 private:
  TempDirectory directory_;
  bool mounted_ = false;
};

}  // namespace

TEST_SUITE("SqliteJournal: a full disk") {
  TEST_CASE("new work is refused, ends of accepted work are kept, reads go on") {
    TempDirectory directory;
    World world(small_disk(directory));
    Ids ids;
    const auto tasks = fill(world, ids);
    REQUIRE(tasks.size() > 10);
    CHECK(world.journal().stats().ballast_held);
    CHECK(world.journal().stats().disk_full);
    for (int i = 0; i < 5; ++i) CHECK(world.commit({large_end(tasks[static_cast<size_t>(i)])}));
    CHECK_FALSE(world.journal().stats().ballast_held);
    CHECK(world.task(tasks[0].id)->result->text.size() == 8000);
    CHECK(world.tasks({}, {500, ""})->items.size() == tasks.size());
  }

  TEST_CASE("while the ballast is given up no new work eats its room") {
    TempDirectory directory;
    World world(small_disk(directory));
    Ids ids;
    const auto tasks = fill(world, ids);
    REQUIRE(world.commit({large_end(tasks[0])}));
    const auto refused = world.commit({TaskAdmitted{queued_task(ids)}});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == base::ErrorCode::Exhausted);
    CHECK(refused.error().message.find(directory.path().string()) != std::string::npos);
    PoolRecord pool{ids.next<PoolId>(), full_pool_spec(), PoolState::Running, 1, false, at(1)};
    CHECK_FALSE(world.commit({PoolPut{pool}}));
    CHECK_FALSE(world.commit({WorkflowAdmitted{pending_workflow(ids)}}));
    CHECK(world.commit({change(tasks[1], TaskState::Running, 2)}));
  }

  TEST_CASE("a pool that is there can still be paused") {
    TempDirectory directory;
    World world(small_disk(directory));
    Ids ids;
    PoolRecord pool{ids.next<PoolId>(), full_pool_spec(), PoolState::Running, 1, false, at(1)};
    REQUIRE(world.commit({PoolPut{pool}}));
    const auto tasks = fill(world, ids);
    REQUIRE(world.commit({large_end(tasks[0])}));
    pool.paused = true;
    CHECK(world.commit({PoolPut{pool}}));
  }

  TEST_CASE("new work is taken again once there is room") {
    TempDirectory directory;
    World world(small_disk(directory));
    Ids ids;
    const auto tasks = fill(world, ids);
    REQUIRE(world.commit({large_end(tasks[0])}));
    auto raw = journal::Database::open(directory.path() / "journal.db",
                                       journal::Database::Mode::ReadWrite);
    REQUIRE(raw);
    REQUIRE(raw->execute("DELETE FROM tasks WHERE seq>10"));
    CHECK(world.commit({TaskAdmitted{queued_task(ids)}}));
    CHECK(world.journal().stats().ballast_held);
  }

  TEST_CASE("in a group, only what admits is refused") {
    TempDirectory directory;
    World world(small_disk(directory));
    Ids ids;
    const auto tasks = fill(world, ids);
    const auto before = world.reports().size();
    world.append({TaskAdmitted{queued_task(ids, std::string(1900, 'x'))}});
    world.append({large_end(tasks[0])});
    world.append({TaskAdmitted{queued_task(ids, std::string(1900, 'x'))}});
    world.append({large_end(tasks[1])});
    world.await(before + 4);
    CHECK_FALSE(world.reports()[before].second);
    CHECK(world.reports()[before + 1].second);
    CHECK_FALSE(world.reports()[before + 2].second);
    CHECK(world.reports()[before + 3].second);
  }

  TEST_CASE("a real file system that is full, and that has room again") {
    SmallDisk disk("size=32m");
    if (!disk.mounted()) {
      MESSAGE("skipped: mounting a tmpfs is not permitted here");
      return;
    }
    auto options = options_in(disk.directory());
    options.ballast_bytes = 8U << 20U;
    World world(options);
    Ids ids;
    REQUIRE(world.journal().stats().ballast_held);
    CHECK_FALSE(world.journal().stats().disk_full);
    disk.leave(1U << 20U);
    const auto tasks = fill(world, ids);
    REQUIRE(tasks.size() > 10);
    for (std::size_t i = 0; i < 10; ++i) CHECK(world.commit({large_end(tasks[i])}));
    CHECK_FALSE(world.journal().stats().ballast_held);
    CHECK_FALSE(world.commit({TaskAdmitted{queued_task(ids)}}));
    CHECK(world.task(tasks[9].id)->status.state == TaskState::Failed);

    std::filesystem::remove(disk.filler());
    CHECK(world.commit({TaskAdmitted{queued_task(ids)}}));
    CHECK(world.journal().stats().ballast_held);
    CHECK_FALSE(world.journal().stats().disk_full);
    CHECK(std::filesystem::file_size(disk.directory().path() / "ballast") == 8U << 20U);
  }

  TEST_CASE("a start on a full file system finds everything and takes ends again") {
    SmallDisk disk("size=32m");
    if (!disk.mounted()) {
      MESSAGE("skipped: mounting a tmpfs is not permitted here");
      return;
    }
    // The shared memory of three databases is 96 KiB, which a start needs, too.
    auto options = options_in(disk.directory());
    options.ballast_bytes = 8U << 20U;
    Ids ids;
    std::vector<TaskRecord> tasks;
    {
      World world(options);
      disk.leave(1U << 20U);
      tasks = fill(world, ids);
    }
    disk.leave(0);
    World world(options);
    const auto snapshot = world.journal().load();
    REQUIRE(snapshot);
    CHECK(snapshot->tasks.size() == tasks.size());
    CHECK_FALSE(world.commit({TaskAdmitted{queued_task(ids)}}));
    CHECK(world.commit({large_end(tasks[0])}));
  }
}

}  // namespace mahavishnu::test
