// The read side of events.db: a page of what a filter meets, newest first.
//
// One key (a task, workflow, pool, repository or the level) is found by its index; the rest of the
// filter is looked at row by row, at most kMostLooks rows a page, so that a search for a rare word
// in a large history ends in time and says where to go on.
#pragma once

#include <string>

#include "domain/log_archive.h"
#include "journal/database.h"

namespace mahavishnu::journal {

inline constexpr int kMostLooks = 100000;

// `looks`: rows it may look at. The cursor of a page goes with any filter.
Result<domain::LogPage> find_entries(Database& database, const domain::LogFilter& filter,
                                     const domain::Page& page, int looks = kMostLooks);

// A row of events as an entry; `row` selects kEntryColumns, the seq first.
inline constexpr const char* kEntryColumns = "seq,time,kind,task,workflow,pool,repo,severity,text";
domain::LogEntry read_entry(const Statement& row);

// The statement behind it; for the test that asks how SQLite would run it.
std::string entries_select(const domain::LogFilter& filter);

}  // namespace mahavishnu::journal
