// Rows of journal.db as records: the column lists of the SELECTs and what reads them.
//
// It knows the schema and nothing of threads or limits. Every function works on the connection it
// is given, in whatever transaction is open there.
#pragma once

#include <string>
#include <vector>

#include "domain/records.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// How much of a task's row is read.
enum class Detail {
  Status,   // of the specification only the repository: what the core asks of an ended task
  Listing,  // the specification's small fields only (repo, caller, worker type, priority, labels),
            // the result without its text, except the last 1,024 bytes of one that failed
  Full,     // everything
};

// "SELECT seq, … FROM tasks " for `detail`; `source` is what follows FROM. read_task reads its
// rows.
std::string select_tasks(Detail detail, std::string_view source);
Result<domain::TaskRecord> read_task(const Statement& row, Detail detail);

// In order of their numbers.
Result<std::vector<domain::AttemptRecord>> read_attempts(Database& database, domain::TaskId task);

// The whole task with its attempts; NotFound names the id.
Result<domain::TaskRecord> find_task(Database& database, domain::TaskId id);

// "SELECT seq, … FROM `source` " of workflows with their specifications.
std::string select_workflows(std::string_view source);
Result<domain::WorkflowRecord> read_workflow(const Statement& row);

Result<std::vector<domain::PoolRecord>> read_pools(Database& database);

}  // namespace mahavishnu::journal
