// What the two files look like, as a list of steps from an empty file to the newest form.
//
// `PRAGMA user_version` counts the steps a file has seen. A change of the schema is a new step at
// the end of a list; steps that were released are never edited. Every missing step runs in one
// transaction, so a crash in the middle leaves the older form.
#pragma once

#include <span>

#include "journal/database.h"

namespace mahavishnu::journal {

struct Schema {
  const char* file;                    // for messages: "journal.db"
  std::span<const char* const> steps;  // step n leads from version n to n + 1
};

extern const Schema kJournalSchema;
extern const Schema kEventsSchema;
extern const Schema kSearchSchema;

// Brings an open file to the newest form. Conflict when it is newer than this program or belongs to
// another one; the file is then left as it is.
Status migrate(Database& database, const Schema& schema);

// Opens or makes `directory`/schema.file, sets what must hold before its first table (WAL,
// incremental vacuum) and migrates it. `synchronous`: FULL or NORMAL.
Result<Database> open_migrated(const std::filesystem::path& directory, const Schema& schema,
                               const char* synchronous);

}  // namespace mahavishnu::journal
