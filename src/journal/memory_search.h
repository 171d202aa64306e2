// One search in search.db: a person's words become an FTS5 expression, its hits an answer.
#pragma once

#include "domain/memories.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// All of the words; when no memory has them all, any of them, best first by bm25. Words are never
// taken for FTS5's syntax. `behind` is the caller's. InvalidArgument: there is no word in it.
Result<domain::MemoriesFound> search_memories(Database& index, const domain::MemoryQuery& query);

}  // namespace mahavishnu::journal
