#include <doctest/doctest.h>

#include <set>

#include "journal/database.h"
#include "journal/world.h"

namespace mahavishnu::test {
namespace {

using Tasks = std::vector<TaskRecord>;

Tasks admit(World& world, Ids& ids, int count, const std::function<void(TaskRecord&)>& set = {}) {
  Tasks tasks;
  std::vector<Record> records;
  for (int i = 0; i < count; ++i) {
    auto task = queued_task(ids);
    if (set) set(task);
    tasks.push_back(task);
    records.push_back(TaskAdmitted{task});
  }
  REQUIRE(world.commit(records));
  return tasks;
}

std::function<void(TaskRecord&)> with_spec(const std::function<void(TaskSpec&)>& set) {
  return [set](TaskRecord& task) {
    auto spec = *task.spec;
    set(spec);
    task.spec = std::make_shared<const TaskSpec>(spec);
  };
}

std::vector<TaskId> ids_of(const Tasks& tasks) {
  std::vector<TaskId> ids;
  for (const auto& task : tasks) ids.push_back(task.id);
  return ids;
}

std::vector<TaskId> newest_first(const Tasks& tasks) {
  auto ids = ids_of(tasks);
  return {ids.rbegin(), ids.rend()};
}

// All pages of a listing; `between` runs after each.
Tasks all_pages(World& world, const TaskFilter& filter, int limit,
                const std::function<void()>& between = {}) {
  Tasks all;
  Page page{limit, ""};
  do {
    const auto listing = world.tasks(filter, page);
    REQUIRE(listing);
    CHECK(static_cast<int>(listing->items.size()) <= limit);
    all.insert(all.end(), listing->items.begin(), listing->items.end());
    page.cursor = listing->next_cursor;
    if (between) between();
  } while (!page.cursor.empty());
  return all;
}

}  // namespace

TEST_SUITE("SqliteJournal: listings") {
  TEST_CASE("newest first, or oldest first, page by page") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto tasks = admit(world, ids, 25);
    CHECK(ids_of(all_pages(world, {}, 10)) == newest_first(tasks));
    CHECK(ids_of(all_pages(world, {}, 25)) == newest_first(tasks));
    TaskFilter oldest;
    oldest.oldest_first = true;
    CHECK(ids_of(all_pages(world, oldest, 7)) == ids_of(tasks));
  }

  TEST_CASE("nothing is skipped or repeated while new work arrives") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto tasks = admit(world, ids, 20);
    const auto listed = all_pages(world, {}, 6, [&] { admit(world, ids, 5); });
    CHECK(ids_of(listed) == newest_first(tasks));
  }

  TEST_CASE("each filter finds its tasks and no others") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    admit(world, ids, 3);
    const auto workflow = ids.next<WorkflowId>();
    const auto batch = ids.next<BatchId>();
    const auto pool = ids.next<PoolId>();
    const auto in_pool = admit(world, ids, 2, [&](TaskRecord& task) { task.pool = pool; });
    const auto in_workflow = admit(world, ids, 2, [&](TaskRecord& task) {
      task.workflow = workflow;
      task.step = "build";
    });
    const auto in_batch = admit(world, ids, 2, [&](TaskRecord& task) { task.batch = batch; });
    const auto in_repo = admit(world, ids, 2, with_spec([](TaskSpec& s) { s.repo = "alpha"; }));
    const auto of_caller = admit(world, ids, 2, with_spec([](TaskSpec& s) { s.caller = "ci"; }));
    const auto labelled = admit(world, ids, 2, with_spec([](TaskSpec& s) {
                                  s.labels = {{"k", "v"}, {"l", "w"}};
                                }));
    const auto ended = admit(world, ids, 2);
    for (const auto& task : ended) REQUIRE(world.commit({failure(task)}));

    const auto found = [&](const std::function<void(TaskFilter&)>& set) {
      TaskFilter filter;
      set(filter);
      return ids_of(world.tasks(filter)->items);
    };
    CHECK(found([&](auto& f) { f.pool = pool; }) == newest_first(in_pool));
    CHECK(found([&](auto& f) { f.workflow = workflow; }) == newest_first(in_workflow));
    CHECK(found([&](auto& f) { f.step = "build"; }) == newest_first(in_workflow));
    CHECK(found([&](auto& f) { f.batch = batch; }) == newest_first(in_batch));
    CHECK(found([&](auto& f) { f.repo = "alpha"; }) == newest_first(in_repo));
    CHECK(found([&](auto& f) { f.caller = "ci"; }) == newest_first(of_caller));
    CHECK(found([&](auto& f) { f.label_key = "k"; }) == newest_first(labelled));
    CHECK(found([&](auto& f) { f.label_key = "l", f.label_value = "w"; }) ==
          newest_first(labelled));
    CHECK(found([&](auto& f) { f.label_key = "l", f.label_value = "v"; }).empty());
    CHECK(found([&](auto& f) { f.states = {TaskState::Failed}; }) == newest_first(ended));
    CHECK(found([&](auto& f) { f.states = {TaskState::Queued, TaskState::Running}; }).size() == 15);
    CHECK(found([&](auto& f) { f.states = {TaskState::Queued, TaskState::Failed}; }).size() == 17);
    CHECK(found([&](auto& f) { f.reason = Reason::ExitCode; }) == newest_first(ended));
    CHECK(found([&](auto& f) { f.since = labelled[0].created; }).size() == 4);
    CHECK(found([&](auto& f) { f.since = labelled[0].created, f.label_key = "k"; }).size() == 2);
    CHECK(found([&](auto& f) { f.since = at(1000000); }).empty());
    CHECK(found([&](auto& f) { f.workflow = workflow, f.batch = batch; }).empty());
  }

  TEST_CASE("a listed task carries the small fields and the end of a failure's output") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto task = full_task(ids);
    auto failed = failure(task, 20);
    failed.result->text = std::string(1023, 'x') + "\xC3\xA9" + std::string(1022, 'y') + "\xC3\xA9";
    failed.result->output_bytes = failed.result->text.size();
    failed.result->truncated = false;
    REQUIRE(world.commit({TaskAdmitted{task}, failed}));
    const auto item = world.tasks({})->items.at(0);
    CHECK(item.spec->repo == "alpha");
    CHECK(item.spec->caller == "ci");
    CHECK(item.spec->worker_type == "agent");
    CHECK(item.spec->priority == 4);
    CHECK(item.spec->labels == task.spec->labels);
    CHECK(item.spec->work.command.empty());
    CHECK(item.result->message == failed.result->message);
    CHECK(item.result->text == std::string(1022, 'y') + "\xC3\xA9");
    CHECK(item.result->truncated);
  }

  TEST_CASE("failures come first, each task once, even when one fails between two pages") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto tasks = admit(world, ids, 8);
    REQUIRE(world.commit({failure(tasks[1])}));
    REQUIRE(world.commit({failure(tasks[4])}));
    REQUIRE(world.commit({failure(tasks[6])}));
    TaskFilter filter;
    filter.failures_first = true;
    filter.oldest_first = true;
    bool failed = false;
    const auto listed = all_pages(world, filter, 2, [&] {
      if (std::exchange(failed, true)) return;
      REQUIRE(world.commit({failure(tasks[0])}));  // before the cursor
      REQUIRE(world.commit({failure(tasks[7])}));  // behind it
    });
    const std::vector<TaskId> expected{tasks[1].id, tasks[4].id, tasks[6].id, tasks[0].id,
                                       tasks[2].id, tasks[3].id, tasks[5].id, tasks[7].id};
    CHECK(ids_of(listed) == expected);
  }

  TEST_CASE("failures first, with a page that ends where the failures end") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto tasks = admit(world, ids, 4);
    REQUIRE(world.commit({failure(tasks[0]), failure(tasks[2])}));
    TaskFilter filter;
    filter.failures_first = true;
    const std::vector<TaskId> expected{tasks[2].id, tasks[0].id, tasks[3].id, tasks[1].id};
    CHECK(ids_of(all_pages(world, filter, 2)) == expected);
    CHECK(ids_of(all_pages(world, filter, 1)) == expected);
  }

  TEST_CASE("workflows by state, name and time") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    const auto first = pending_workflow(ids, "release");
    const auto second = pending_workflow(ids);
    const auto third = pending_workflow(ids);
    WorkflowStatus done{WorkflowState::Failed, 2, 1, 0, 0, 0, 1, 0, 0, at(1), at(2)};
    REQUIRE(world.commit({WorkflowAdmitted{first}, WorkflowAdmitted{second},
                          WorkflowAdmitted{third}, WorkflowChanged{second.id, done}}));
    const auto page = world.workflows({}, {2, ""});
    CHECK(page->items.at(0).id == third.id);
    CHECK(page->items.at(1).id == second.id);
    const auto rest = world.workflows({}, {2, page->next_cursor});
    CHECK(rest->items.at(0).id == first.id);
    CHECK(rest->next_cursor.empty());
    CHECK(world.workflows({WorkflowState::Failed, "", {}})->items.size() == 1);
    CHECK(world.workflows({WorkflowState::Pending, "", {}})->items.size() == 2);
    CHECK(world.workflows({{}, "release", {}})->items.at(0).id == first.id);
    CHECK(world.workflows({{}, "", second.created})->items.size() == 2);
  }

  TEST_CASE("a cursor that is not one of this listing is an invalid argument") {
    TempDirectory directory;
    World world(options_in(directory));
    Ids ids;
    admit(world, ids, 3);
    const auto cursor = world.tasks({}, {1, ""})->next_cursor;
    REQUIRE_FALSE(cursor.empty());
    for (const auto& bad : {std::string("x"), std::string("n0.0"), std::string("n0.0.0"),
                            std::string("n0.0.-4"), std::string("n9.0.1"), cursor + "0x",
                            "o" + cursor.substr(1), std::string("n0.0.99999999999999999999")}) {
      CAPTURE(bad);
      const auto listing = world.tasks({}, {1, bad});
      REQUIRE_FALSE(listing);
      CHECK(listing.error().code == base::ErrorCode::InvalidArgument);
    }
    CHECK(world.tasks({}, {0, ""}).error().code == base::ErrorCode::InvalidArgument);
    CHECK(world.workflows({}, {1, cursor}).error().code == base::ErrorCode::InvalidArgument);
  }
}

TEST_SUITE("SqliteJournal: reads are limited") {
  TEST_CASE("a read whose time is over before it begins") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.read_limit = base::Millis(0);
    World world(options);
    CHECK(world.tasks({}).error().code == base::ErrorCode::Deadline);
    CHECK(world.journal().stats().read_timeouts == 1);
  }

  TEST_CASE("a scan is interrupted at its limit") {
    TempDirectory directory;
    auto options = options_in(directory);
    options.read_limit = base::Millis(1);
    World world(options);
    auto raw = journal::Database::open(directory.path() / "journal.db",
                                       journal::Database::Mode::ReadWrite);
    REQUIRE(raw);
    REQUIRE(raw->execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<300000) "
        "INSERT INTO tasks(id,batch_index,priority,created,state,attempt,version,queue_ms,run_ms) "
        "SELECT randomblob(16),0,2,5,'queued',0,1,0,0 FROM n"));
    TaskFilter filter;
    filter.repo = "nowhere";
    const auto listing = world.tasks(filter);
    REQUIRE_FALSE(listing);
    CHECK(listing.error().code == base::ErrorCode::Deadline);
    CHECK(world.journal().stats().read_timeouts == 1);
  }
}

}  // namespace mahavishnu::test
