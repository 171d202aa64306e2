// The tools this server has: an explicit list, in a fixed order.
//
// A tool is a schema pair in schemas/, a handler in one of the family files and a line here. The
// handlers turn JSON into calls of control::Service and records into JSON; they decide nothing
// about work. Control thread only.
#pragma once

#include <string>
#include <vector>

#include "base/cache.h"
#include "control/message_bus.h"
#include "control/pool_survey.h"
#include "control/service.h"
#include "domain/audit.h"
#include "domain/breakers.h"
#include "domain/git_facts.h"
#include "domain/log_archive.h"
#include "domain/memories.h"
#include "domain/memory_sync.h"
#include "mcp/tool.h"

namespace mahavishnu::tools {

class DurableTasks;

// What the tools need. The things referred to outlive the tools and their calls.
struct Context {
  control::Service& service;
  domain::GitFacts& git;
  domain::Memories& memories;
  control::Timers& timers;  // for the time only: its alarm is the service's
  domain::LogArchive& log;
  domain::LogArchive& remote_log;  // OpenSearch
  domain::Breakers& breakers;
  control::MessageBus& bus;
  domain::MemorySync& sync;
  control::PoolSurvey& survey;
  base::Caches& caches;  // tools add theirs
  domain::AuditTrail& audit;
  DurableTasks* tasks = nullptr;  // null: no call becomes a task
};

// tools[0] is repo_list. `context` is kept by reference.
std::vector<mcp::Tool> all(Context& context);

// What --toolsets can name; the first is served by default, the last is all of them.
const std::vector<std::string>& toolsets();

// The way through, for a model that has just connected; at most 300 tokens.
std::string instructions();

// One family each, in the order of `all`.
std::vector<mcp::Tool> repo_tools(Context& context);
std::vector<mcp::Tool> workflow_tools(Context& context);
std::vector<mcp::Tool> task_tools(Context& context);        // submit, batch
std::vector<mcp::Tool> task_query_tools(Context& context);  // get, output, cancel, list
std::vector<mcp::Tool> pool_tools(Context& context);
std::vector<mcp::Tool> memory_tools(Context& context);
std::vector<mcp::Tool> log_tools(Context& context);
std::vector<mcp::Tool> metrics_tools(Context& context);
std::vector<mcp::Tool> explain_tools(Context& context);
std::vector<mcp::Tool> breaker_tools(Context& context);  // toolset ops
std::vector<mcp::Tool> message_tools(Context& context);  // toolset message
std::vector<mcp::Tool> cache_tools(Context& context);    // toolset ops
std::vector<mcp::Tool> audit_tools(Context& context);    // toolset ops

// What a family says of a tool; its schemas are found by its name.
struct About {
  std::string name;
  std::string title;
  std::string description;
  mcp::Effect effect = mcp::Effect::ReadOnly;
  bool open_world = false;
  std::string toolset = "core";
};

// A handler as the families write it.
using Handler = base::awaitable<mcp::ToolResult> (*)(Context&, mcp::Json, mcp::Call&);

mcp::Tool make_tool(Context& context, About about, Handler handler);
mcp::Tool make_tool(About about, mcp::ToolHandler handler, mcp::AtHand at_hand = {});

}  // namespace mahavishnu::tools
