// Turns the records of a commit into rows, inside a transaction that its caller opened.
//
// It knows the schema and the rules a commit tried again must meet (an older version changes
// nothing, an attempt's end is never taken back), and nothing of threads, groups or full disks. One
// statement a record, prepared once. One thread: the one that owns the connection.
#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "domain/records.h"
#include "journal/database.h"
#include "journal/memory_writer.h"

namespace mahavishnu::journal {

class RecordWriter {
 public:
  // `database` and `memories` must outlive the writer; the file is migrated. Without `memories`
  // tasks leave none.
  static Result<RecordWriter> open(Database& database, MemoryWriter* memories);

  // `transaction` grows with every transaction of the file's life; ended tasks keep it. On an error
  // the caller rolls back and calls rolled_back().
  Status write(std::span<const domain::Record> records, std::int64_t transaction);

  // Reads again what the writer keeps in memory of the file.
  Status rolled_back();

  // The admissions among `records` were refused. Changes of that work which were on their way
  // already meet no row, rightly; a change of any other work that has none is an Internal error.
  void refused(std::span<const domain::Record> records);

 private:
  // The tasks of one workflow or batch that lie side by side, while a commit is written.
  struct Span {
    base::Ulid owner;
    std::int64_t first = 0;
    std::int64_t last = 0;
  };

  RecordWriter(Database& database, MemoryWriter* memories)
      : database_(&database), memories_(memories) {}
  Status put(const domain::PoolPut& put);
  Status put(const domain::PoolRemoved& removed);
  Status put(const domain::TaskAdmitted& admitted);
  Status put(const domain::TaskChanged& changed);
  Status put(const domain::AttemptPut& put);
  Status put(const domain::WorkflowAdmitted& admitted);
  Status put(const domain::WorkflowChanged& changed);
  Status put_labels(const domain::StringMap& labels, std::int64_t seq);
  Status put_key(const std::string& caller, const std::string& key, domain::TaskId task,
                 domain::WorkflowId workflow);
  Status extend(Span& span, base::Ulid owner, std::int64_t seq);
  Status close(Span& span);
  Status unmet(const char* table, base::Ulid id, const std::string& name);

  Database* database_;
  MemoryWriter* memories_;
  Statement put_pool_, remove_pool_, admit_task_, change_task_, end_task_, put_label_, put_spec_,
      put_span_, put_attempt_, admit_workflow_, put_workflow_spec_, change_workflow_, put_key_;
  std::int64_t next_task_ = 1;
  std::int64_t next_workflow_ = 1;
  std::int64_t transaction_ = 0;
  Span workflow_span_, batch_span_;
  // Two generations, so that forgetting costs nothing.
  std::set<base::Ulid> refused_, refused_before_;
  std::string spec_, labels_, unenforced_;  // buffers, kept for their capacity
};

}  // namespace mahavishnu::journal
