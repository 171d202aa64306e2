#include <doctest/doctest.h>
#include <sys/stat.h>

#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using journal::Database;

// Holds the writer's lock of journal.db, so that everything appended meanwhile waits and then
// shares transactions.
class WriterLock {
 public:
  explicit WriterLock(const TempDirectory& directory) {
    auto opened = Database::open(directory.path() / "journal.db", Database::Mode::ReadWrite);
    REQUIRE(opened);
    database_ = std::move(*opened);
    REQUIRE(database_.execute("BEGIN IMMEDIATE"));
  }
  void release() { database_.roll_back(); }

 private:
  Database database_;
};

TaskRecord keyed_task(Ids& ids, const std::string& key) {
  auto task = queued_task(ids);
  auto spec = *task.spec;
  spec.idempotency_key = key;
  spec.caller = "ci";
  task.spec = std::make_shared<const TaskSpec>(spec);
  return task;
}

unsigned permissions(const std::filesystem::path& path) {
  struct stat file {};
  REQUIRE(::stat(path.c_str(), &file) == 0);
  return file.st_mode & 0777U;
}

}  // namespace

TEST_SUITE("SqliteJournal: commits") {
  TEST_CASE("commits that wait share transactions and are reported in their order") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    WriterLock lock(directory);
    for (int i = 0; i < 300; ++i) world.append({TaskAdmitted{queued_task(ids)}});
    lock.release();
    world.await(300);
    for (std::size_t i = 0; i < 300; ++i) {
      CHECK(world.reports()[i].first == i + 1);
      CHECK(world.reports()[i].second);
    }
    CHECK(world.journal().stats().transactions <= 2);
  }

  TEST_CASE("a transaction is bounded in records, a commit is never divided") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.max_records_per_transaction = 10;
    World world(options);
    Ids ids;
    std::vector<Record> many;
    for (int i = 0; i < 25; ++i) many.push_back(TaskAdmitted{queued_task(ids)});
    REQUIRE(world.commit(many));
    CHECK(world.journal().stats().transactions == 1);
    WriterLock lock(directory);
    for (int i = 0; i < 30; ++i) world.append({TaskAdmitted{queued_task(ids)}});
    lock.release();
    world.await(31);
    CHECK(world.journal().stats().transactions >= 4);
  }

  TEST_CASE("one bad commit does not fail those that share its transaction") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto first = keyed_task(ids, "same");
    const auto twin = keyed_task(ids, "same");
    const auto last = queued_task(ids);
    WriterLock lock(directory);
    world.append({TaskAdmitted{first}});
    world.append({TaskAdmitted{queued_task(ids)}, TaskAdmitted{twin}});
    world.append({TaskAdmitted{last}});
    lock.release();
    world.await(3);
    CHECK(world.reports()[0].second);
    CHECK(world.reports()[1].second.error().code == base::ErrorCode::Conflict);
    CHECK(world.reports()[2].second);
    CHECK(world.reports()[1].first == 2);
    CHECK_FALSE(world.task(twin.id));
    CHECK(world.task(last.id));
    CHECK(world.tasks({})->items.size() == 2);
  }

  TEST_CASE("a change of a task whose admission failed changes nothing, and is no failure") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    auto task = queued_task(ids);
    auto other = queued_task(ids);
    for (auto* one : {&task, &other}) {
      auto spec = *one->spec;
      spec.idempotency_key = "key";
      one->spec = std::make_shared<const TaskSpec>(spec);
    }
    REQUIRE(world.commit({TaskAdmitted{task}}));
    const auto workflow = pending_workflow(ids);
    REQUIRE_FALSE(world.commit({WorkflowAdmitted{workflow}, TaskAdmitted{other}}));
    WorkflowStatus ended{WorkflowState::Cancelled, 2, 1, 0, 0, 0, 0, 1, 0, at(1), at(2)};
    CHECK(world.commit(
        {change(other, TaskState::Cancelled, 2), WorkflowChanged{workflow.id, ended}}));
    CHECK_FALSE(world.task(other.id));
    CHECK(world.task(task.id));
  }

  TEST_CASE("a change of a task that was never admitted fails and names it") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = queued_task(ids);
    const auto status = world.commit({change(task, TaskState::Running, 2)});
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find(task.id.str()) != std::string::npos);
  }

  TEST_CASE("a change of a workflow that was never admitted fails and names it") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto id = ids.next<WorkflowId>();
    WorkflowStatus ended{WorkflowState::Cancelled, 2, 1, 0, 0, 0, 0, 1, 0, at(1), at(2)};
    const auto status = world.commit({WorkflowChanged{id, ended}});
    REQUIRE_FALSE(status);
    CHECK(status.error().message.find(id.str()) != std::string::npos);
  }

  TEST_CASE("a change tried again after a newer one changes nothing") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = queued_task(ids);
    REQUIRE(world.commit({TaskAdmitted{task}, change(task, TaskState::RetryWait, 5)}));
    CHECK(world.commit({change(task, TaskState::Running, 4)}));
    CHECK(world.task(task.id)->status.state == TaskState::RetryWait);
    CHECK(world.commit({change(task, TaskState::Completed, 6)}));
    CHECK(world.commit({failure(task, 6)}));
    CHECK(world.commit({change(task, TaskState::Running, 7)}));
    CHECK(world.task(task.id)->status.state == TaskState::Completed);
  }

  TEST_CASE("a workflow's change tried again after a newer one changes nothing") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto workflow = pending_workflow(ids);
    WorkflowStatus newer{WorkflowState::Running, 4, 2, 1, 1, 0, 0, 0, 0, at(1), std::nullopt};
    WorkflowStatus older{WorkflowState::Running, 3, 2, 2, 0, 0, 0, 0, 0, at(1), std::nullopt};
    REQUIRE(world.commit({WorkflowAdmitted{workflow}, WorkflowChanged{workflow.id, newer}}));
    CHECK(world.commit({WorkflowChanged{workflow.id, older}}));
    CHECK(same(world.workflow(workflow.id)->status, newer));
  }

  TEST_CASE("an attempt's end is not taken back by its start written again") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = queued_task(ids);
    const AttemptRecord started{task.id,
                                1,
                                {1, 1},
                                "default/0",
                                "node",
                                at(1),
                                std::nullopt,
                                std::nullopt,
                                std::nullopt,
                                Reason::None,
                                0};
    auto ended = started;
    ended.ended = at(2);
    ended.exit_code = 3;
    ended.reason = Reason::ExitCode;
    REQUIRE(world.commit({TaskAdmitted{task}, AttemptPut{started}}));
    REQUIRE(world.commit({AttemptPut{ended}}));
    REQUIRE(world.commit({AttemptPut{started}}));
    CHECK(same(world.task(task.id)->attempts, {ended}));
  }

  TEST_CASE("an idempotency key names its task or workflow, for its caller only") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = keyed_task(ids, "key");
    WorkflowRecord workflow = pending_workflow(ids);
    workflow.spec = std::make_shared<const WorkflowSpec>(full_workflow_spec(ids));
    REQUIRE(world.commit({TaskAdmitted{task}}));
    REQUIRE(world.commit({WorkflowAdmitted{workflow}}));
    CHECK(world.by_key("ci", "key")->task == task.id);
    CHECK(world.by_key("ci", "workflow-key")->workflow == workflow.id);
    CHECK(world.by_key("other", "key")->task.is_null());
    CHECK(world.by_key("other", "key")->workflow.is_null());
  }

  TEST_CASE("a full queue refuses at once and says when to try again") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.max_pending_commits = 3;
    World world(options);
    Ids ids;
    WriterLock lock(directory);
    // At most one group of three is being written, three more wait.
    for (int i = 0; i < 10; ++i) world.append({TaskAdmitted{queued_task(ids)}});
    lock.release();
    world.await(10);
    std::size_t refused = 0;
    for (const auto& [commit, status] : world.reports()) {
      if (status) continue;
      ++refused;
      CHECK(status.error().code == base::ErrorCode::Exhausted);
      CHECK(status.error().retry_after_ms > 0);
    }
    CHECK(refused >= 4);
    CHECK(world.journal().stats().refused == refused);
    CHECK(world.tasks({})->items.size() == 10 - refused);
  }

  TEST_CASE("stop writes what is pending and calls nothing back") {
    TempDirectory directory;
    Ids ids;
    const auto task = queued_task(ids);
    {
      asio::io_context context;
      auto journal = journal::SqliteJournal::open(context.get_executor(), options_in(directory));
      REQUIRE(journal);
      int called = 0;
      (*journal)->on_done([&called](CommitNo, const Status&) { ++called; });
      (*journal)->append(
          1, std::make_shared<const std::vector<Record>>(std::vector<Record>{TaskAdmitted{task}}));
      (*journal)->task(task.id, [&called](const Result<TaskRecord>&) { ++called; });
      (*journal)->stop();
      (*journal)->stop();
      context.run();
      CHECK(called == 0);
    }
    World world(options_in(directory));
    CHECK(world.task(task.id));
  }

  TEST_CASE("both databases and the ballast are for their owner only") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    REQUIRE(world.commit({TaskAdmitted{queued_task(ids)}}));
    for (const char* name : {"journal.db", "journal.db-wal", "events.db", "ballast"}) {
      CHECK(permissions(directory.path() / name) == 0600);
    }
  }

  TEST_CASE("a directory that is not there is an error that names the file") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.directory /= "absent";
    asio::io_context context;
    const auto opened = journal::SqliteJournal::open(context.get_executor(), options);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find("absent/journal.db") != std::string::npos);
  }
}

}  // namespace mahavishnu::test
