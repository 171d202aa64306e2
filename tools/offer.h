// What the server offers besides its tools: resources, prompts, and completions of both.
//
// A resource is what the tool that shows the same thing answers, so that both say the same; of a
// task it is all of it, where the answer of the tool would be too long for a model. A
// prompt is text for a model, with the facts of the moment in it: what failed, what ran, which
// repositories there are. Handlers read and change nothing. Control thread only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mcp/offer.h"
#include "tools/registry.h"

namespace mahavishnu::tools {

// `tools`: those of all(context). `context` is kept by reference.
mcp::Offer offer(Context& context, const std::vector<mcp::Tool>& tools);

// The resources that change with a task, a workflow or a pool, for those who watch them.
std::string task_uri(domain::TaskId task);
std::string output_uri(domain::TaskId task);
std::string workflow_uri(domain::WorkflowId workflow);
std::string pool_uri(std::string_view name_or_id);

// One family each.
void add_resources(Context& context, const std::vector<mcp::Tool>& tools, mcp::Offer& offer);
std::vector<mcp::Prompt> prompts(Context& context);

// Completions.
using Completion = base::awaitable<base::Result<mcp::Completions>>;
Completion complete_task(Context& context, std::string begun);
Completion complete_workflow(Context& context, std::string begun);
Completion complete_pool(Context& context, std::string begun);
Completion complete_repo(Context& context, std::string begun);
Completion complete_tag(Context& context, std::string begun);
Completion complete_role(Context& context, std::string begun);

}  // namespace mahavishnu::tools
