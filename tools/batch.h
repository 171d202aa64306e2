// A batch of tasks as the tools answer it.
#pragma once

#include <string>
#include <vector>

#include "tools/json_views.h"
#include "tools/registry.h"

namespace mahavishnu::tools {

using BatchOutcome = control::Service::BatchOutcome;

// The ids in the order of the items, null where one was refused, and why. Of more than fit into an
// answer the first are shown: `left_out` counts the others, and task_get goes on from `next_cursor`
// with those that are new (what an idempotency key had named before is in another batch). `counts`:
// tasks by state, or null for none.
std::string batch_answer(const BatchOutcome& outcome, const Json& counts);

// Those that were taken, in the order they were handed in; NotFound when there is no such batch.
base::awaitable<base::Result<std::vector<domain::TaskRecord>>> tasks_of(Context& context,
                                                                        domain::BatchId batch);

// What task_batch answered then, but for the reasons of what was refused: nobody kept those.
BatchOutcome outcome_of(domain::BatchId batch, const std::vector<domain::TaskRecord>& tasks,
                        std::size_t handed_in);

}  // namespace mahavishnu::tools
