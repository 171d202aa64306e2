// Memories as they are in journal.db: what callers stored stands in its row, what a task left is
// made from the task's record.
#pragma once

#include <optional>

#include "domain/memories.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// The columns of `memories` that these functions read, in their order.
inline constexpr const char* kMemoryColumns = "seq,id,time,tags,content,metadata";

// True: a caller stored it, and stored_memory reads it; false: a task's.
inline bool is_stored(const Statement& row) { return !row.is_null(4); }
Result<domain::Memory> stored_memory(const Statement& row);

// What this task left; nullopt: the task is not in the journal any more.
Result<std::optional<domain::Memory>> task_memory(Database& journal, domain::TaskId task,
                                                  std::size_t output_bytes);

}  // namespace mahavishnu::journal
