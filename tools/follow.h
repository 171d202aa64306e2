// Holding a call until its work is done or changed, and telling its progress meanwhile.
//
// Without a progress token the service does the waiting; with one, every change is looked at, and
// the end is never missed because the service answers at once for what has ended.
#pragma once

#include <vector>

#include "tools/registry.h"

namespace mahavishnu::tools {

using control::Service;
using control::Wait;

base::awaitable<base::Result<Service::TaskPtr>> follow_task(Context& context, domain::TaskId id,
                                                            Wait wait, mcp::Call& call);
base::awaitable<base::Result<Service::WorkflowPtr>> follow_workflow(Context& context,
                                                                    domain::WorkflowId id,
                                                                    Wait wait, mcp::Call& call);
// `tasks` are those of the batch, for the count of what has ended.
base::awaitable<base::Status> follow_batch(Context& context, domain::BatchId id,
                                           std::vector<domain::TaskId> tasks, Wait wait,
                                           mcp::Call& call);

// "12/40 cells, 2 failed"
std::string progress_text(const domain::WorkflowStatus& status);

}  // namespace mahavishnu::tools
