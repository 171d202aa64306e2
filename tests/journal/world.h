// What the journal's tests share: a directory that goes away, builders of records, and a journal
// whose callbacks are awaited by running its executor.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/asio.h"
#include "domain/ports.h"
#include "journal/fields.h"
#include "journal/sqlite_journal.h"

namespace mahavishnu::test {

class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline WallTime at(std::int64_t ms) { return WallTime(Millis(1'763'000'000'000 + ms)); }

// Ids in the order they are made, as a server's are.
class Ids {
 public:
  template <class Id>
  Id next() {
    return Id{source_.next(at(++made_))};
  }

 private:
  base::UlidSource source_{7};
  std::int64_t made_ = 0;
};

// Specifications and records in which no field has its default value.
TaskSpec full_spec(Ids& ids);
WorkflowSpec full_workflow_spec(Ids& ids);
PoolSpec full_pool_spec();
TaskResult full_result();
TaskRecord full_task(Ids& ids);

TaskRecord queued_task(Ids& ids, const std::string& command = "true");
WorkflowRecord pending_workflow(Ids& ids, const std::string& name = "tests");
TaskChanged change(const TaskRecord& task, TaskState state, std::uint64_t version);
TaskChanged failure(const TaskRecord& task, std::uint64_t version = 5);

// An open journal with the executor that plays the control thread.
class World {
 public:
  explicit World(journal::JournalOptions options);
  ~World();

  journal::SqliteJournal& journal() { return *journal_; }

  // Appends and waits for the report.
  Status commit(std::vector<Record> records);
  CommitNo append(std::vector<Record> records);
  // Runs the executor until so many commits were reported altogether.
  void await(std::size_t reports);
  const std::vector<std::pair<CommitNo, Status>>& reports() const { return reports_; }
  // Runs the executor until `done` holds.
  void run_until(const std::function<bool()>& done);

  Result<TaskRecord> task(TaskId id);
  Result<WorkflowRecord> workflow(WorkflowId id);
  Result<Listing<TaskRecord>> tasks(TaskFilter filter, Page page = {});
  Result<Listing<WorkflowRecord>> workflows(WorkflowFilter filter, Page page = {});
  Result<Archive::Keyed> by_key(const std::string& caller, const std::string& key);

 private:
  template <class T, class Ask>
  Result<T> ask(Ask ask);

  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> guard_;
  std::unique_ptr<journal::SqliteJournal> journal_;
  std::vector<std::pair<CommitNo, Status>> reports_;
  CommitNo last_ = 0;
};

// Ended tasks without exactly one memory, and memories without an ended task: 0 in every journal
// whose tasks ran.
std::int64_t memories_amiss(const TempDirectory& directory);

journal::JournalOptions options_in(const TempDirectory& directory);

}  // namespace mahavishnu::test
