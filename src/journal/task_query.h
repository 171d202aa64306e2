// The listings: a filter and a page become one SELECT, its cursor and its answer.
//
// Listings are ordered by `seq`, the order of admission, which never changes and only grows at one
// end; so a cursor (the last row's `seq`) neither skips nor repeats while new work arrives. With
// `failures_first` there are two passes, and the cursor also holds the transaction the first page
// saw: a task that fails later belongs to the second pass, whatever its place.
#pragma once

#include "domain/ports.h"
#include "journal/database.h"

namespace mahavishnu::journal {

// `committed`: the number of the last transaction, taken before the read began.
// InvalidArgument: the cursor is not one of this listing, or the limit is not positive.
Result<domain::Listing<domain::TaskRecord>> list_tasks(Database& database,
                                                       const domain::TaskFilter& filter,
                                                       const domain::Page& page,
                                                       std::int64_t committed);

Result<domain::Listing<domain::WorkflowRecord>> list_workflows(Database& database,
                                                               const domain::WorkflowFilter& filter,
                                                               const domain::Page& page);

}  // namespace mahavishnu::journal
