#include "journal/world.h"

#include <stdlib.h>

#include <doctest/doctest.h>

#include "journal/database.h"

namespace mahavishnu::test {

TempDirectory::TempDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "journal-XXXXXX").string();
  REQUIRE(::mkdtemp(name.data()) != nullptr);
  path_ = name;
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

Work full_work() {
  Work work;
  work.command = "printf 'a\\tb' \"$X\"\n\x01";
  work.argv = {"sh", "-c", "echo \xC3\xA9 \xF0\x9F\x8E\xBB", ""};
  work.tool = "search";
  work.arguments = R"({"query":"caf\u00e9 \"x\"","limit":3})";
  work.cwd = "/tmp/caf\xE9/not utf-8";
  work.stdin_text = std::string("with a NUL \0 in it", 18);
  work.env = {{"A", "1"}, {"EMPTY", ""}};
  work.verify = "test -f out";
  work.limits = {1, 2, 3, 4};
  return work;
}

Timeouts full_timeouts() { return {Millis(1), Millis(2), Millis(3), Millis(4), Millis(5)}; }
RetryPolicy full_retry() { return {3, Millis(250), 1.7, 0.1, Millis(9000)}; }

}  // namespace

TaskSpec full_spec(Ids& ids) {
  TaskSpec spec;
  spec.work = full_work();
  spec.pool = ids.next<PoolId>();
  spec.selector = Selector::Affinity;
  spec.affinity_key = "session-1";
  spec.worker_type = "agent";
  spec.repo = "alpha";
  spec.repo_path = "/srv/alpha";
  spec.priority = 4;
  spec.timeouts = full_timeouts();
  spec.retry = full_retry();
  spec.idempotency_key = "key-1";
  spec.depends_on = {ids.next<TaskId>(), ids.next<TaskId>()};
  spec.labels = {{"kind", "test"}, {"team", "core"}};
  spec.not_before = at(5000);
  spec.caller = "ci";
  spec.max_per_repo = 3;
  spec.client_env = std::make_shared<const StringMap>(StringMap{{"PATH", "/home/ada/bin"}});
  return spec;
}

WorkflowSpec full_workflow_spec(Ids& ids) {
  StepSpec build;
  build.id = "build";
  build.work = full_work();
  build.pool = ids.next<PoolId>();
  build.worker_type = "agent";
  build.timeouts = full_timeouts();
  build.retry = full_retry();
  build.on_failure = OnFailure::StopAll;
  StepSpec report;
  report.id = "report";
  report.work.command = "true";
  report.depends_on = {"build"};
  report.when = When::Always;
  report.each = Each::Once;
  WorkflowSpec spec;
  spec.name = "release";
  spec.steps = {build, report};
  spec.repos = {{"beta", "/srv/beta"}, {"alpha", "/srv/alpha"}};
  spec.max_parallel = 5;
  spec.max_per_repo = 2;
  spec.client_env = std::make_shared<const StringMap>();
  spec.priority = 3;
  spec.idempotency_key = "workflow-key";
  spec.labels = {{"kind", "release"}};
  spec.caller = "ci";
  return spec;
}

PoolSpec full_pool_spec() {
  PoolSpec spec;
  spec.name = "gpu";
  spec.type = "redis";
  spec.worker_type = "agent";
  spec.min_workers = 1;
  spec.max_workers = 8;
  spec.max_queue = 64;
  spec.settings = {"https://tools.example/mcp",
                   {"npx", "server", ""},
                   "/etc/token",
                   {{"X-Team", "core"}},
                   "/etc/ca.pem"};
  spec.limits = {1, 2, 3, 4};
  spec.timeouts = full_timeouts();
  spec.retry = full_retry();
  spec.env = {{"CUDA", "1"}};
  spec.labels = {{"team", "core"}};
  return spec;
}

TaskResult full_result() {
  TaskResult result;
  result.text = std::string("out\0put \xC3\xA9\n", 11);
  result.streams = "o4e7";
  result.truncated = true;
  result.output_bytes = 70000;
  result.dropped_bytes = 12;
  result.spool = "/var/spool/x";
  result.message = "it exited with 3";
  result.unenforced = {"memory_bytes", "processes"};
  result.structured = R"({"items":[1,2]})";
  return result;
}

TaskRecord full_task(Ids& ids) {
  TaskRecord task;
  task.id = ids.next<TaskId>();
  task.pool = ids.next<PoolId>();
  task.pool_name = "gpu";
  task.batch = ids.next<BatchId>();
  task.batch_index = 17;
  task.workflow = ids.next<WorkflowId>();
  task.step = "build";
  task.created = at(10);
  task.spec = std::make_shared<const TaskSpec>(full_spec(ids));
  task.status = {TaskState::RetryWait, Reason::ExitCode, 2,          9,         at(20),
                 std::nullopt,         at(40),           Millis(11), Millis(22)};
  return task;
}

TaskRecord queued_task(Ids& ids, const std::string& command) {
  TaskSpec spec;
  spec.work.command = command;
  TaskRecord task;
  task.id = ids.next<TaskId>();
  task.pool = PoolId{{1, 1}};
  task.pool_name = "default";
  task.created = WallTime(Millis(static_cast<std::int64_t>(task.id.value.high >> 16U)));
  task.spec = std::make_shared<const TaskSpec>(std::move(spec));
  return task;
}

WorkflowRecord pending_workflow(Ids& ids, const std::string& name) {
  WorkflowSpec spec;
  spec.name = name;
  WorkflowRecord workflow;
  workflow.id = ids.next<WorkflowId>();
  workflow.created = WallTime(Millis(static_cast<std::int64_t>(workflow.id.value.high >> 16U)));
  workflow.spec = std::make_shared<const WorkflowSpec>(std::move(spec));
  return workflow;
}

TaskChanged change(const TaskRecord& task, TaskState state, std::uint64_t version) {
  TaskChanged changed;
  changed.task = task.id;
  changed.workflow = task.workflow;
  changed.status.state = state;
  changed.status.version = version;
  if (state == TaskState::Completed) {
    changed.status.reason = Reason::Ok;
    changed.status.ended = at(9000);
    changed.result = TaskResult{};
  }
  return changed;
}

TaskChanged failure(const TaskRecord& task, std::uint64_t version) {
  auto changed = change(task, TaskState::Failed, version);
  changed.status.reason = Reason::ExitCode;
  changed.status.ended = at(9000);
  changed.result = full_result();
  return changed;
}

std::int64_t memories_amiss(const TempDirectory& directory) {
  auto database = journal::Database::open(directory.path() / "journal.db",
                                          journal::Database::Mode::ReadOnly);
  REQUIRE(database);
  const auto amiss = database->integer(
      "SELECT (SELECT count(*) FROM tasks WHERE settled IS NOT NULL AND (SELECT count(*) FROM "
      "memories WHERE memories.id=tasks.id)<>1) + (SELECT count(*) FROM memories WHERE id NOT IN "
      "(SELECT id FROM tasks WHERE settled IS NOT NULL))");
  REQUIRE(amiss);
  return *amiss;
}

journal::JournalOptions options_in(const TempDirectory& directory) {
  journal::JournalOptions options;
  options.directory = directory.path();
  options.ballast_bytes = 64U << 10U;
  options.history_keep = std::chrono::hours(24 * 36500);  // the tests' times are long ago
  return options;
}

World::World(journal::JournalOptions options) : guard_(asio::make_work_guard(context_)) {
  auto opened = journal::SqliteJournal::open(context_.get_executor(), std::move(options));
  if (!opened) FAIL(opened.error().message);
  journal_ = std::move(*opened);
  journal_->on_done(
      [this](CommitNo commit, Status status) { reports_.emplace_back(commit, std::move(status)); });
}

World::~World() { journal_->stop(); }

void World::run_until(const std::function<bool()>& done) {
  while (!done()) context_.run_one();
}

CommitNo World::append(std::vector<Record> records) {
  journal_->append(++last_, std::make_shared<const std::vector<Record>>(std::move(records)));
  return last_;
}

void World::await(std::size_t reports) {
  run_until([this, reports] { return reports_.size() >= reports; });
}

Status World::commit(std::vector<Record> records) {
  append(std::move(records));
  await(reports_.size() + 1);
  return reports_.back().second;
}

template <class T, class Ask>
Result<T> World::ask(Ask ask) {
  std::optional<Result<T>> answer;
  ask([&answer](Result<T> result) { answer = std::move(result); });
  run_until([&answer] { return answer.has_value(); });
  return std::move(*answer);
}

Result<TaskRecord> World::task(TaskId id) {
  return ask<TaskRecord>([&](auto answer) { journal_->task(id, answer); });
}

Result<WorkflowRecord> World::workflow(WorkflowId id) {
  return ask<WorkflowRecord>([&](auto answer) { journal_->workflow(id, answer); });
}

Result<Listing<TaskRecord>> World::tasks(TaskFilter filter, Page page) {
  return ask<Listing<TaskRecord>>([&](auto answer) { journal_->tasks(filter, page, answer); });
}

Result<Listing<WorkflowRecord>> World::workflows(WorkflowFilter filter, Page page) {
  return ask<Listing<WorkflowRecord>>(
      [&](auto answer) { journal_->workflows(filter, page, answer); });
}

Result<Archive::Keyed> World::by_key(const std::string& caller, const std::string& key) {
  return ask<Archive::Keyed>([&](auto answer) { journal_->by_key(caller, key, answer); });
}

}  // namespace mahavishnu::test
