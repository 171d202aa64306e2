// What a start needs of journal.db: everything live and what it hangs on.
#pragma once

#include "domain/records.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// Counts the epoch up, durably: `database` is open for writing with synchronous=FULL.
Result<std::uint64_t> begin_epoch(Database& database);

// Live tasks come with their specification; running ones with their attempts as well. Ended tasks
// (of live workflows, or that live tasks depend on) come without a specification: `spec` is null.
Result<domain::Snapshot> load_snapshot(Database& database);

}  // namespace mahavishnu::journal
