#include "tools/registry.h"

#include <iterator>

#include "tools/schemas.h"

namespace mahavishnu::tools {

mcp::Tool make_tool(About about, mcp::ToolHandler handler, mcp::AtHand at_hand) {
  mcp::Tool tool;
  tool.input_schema = schema(about.name, "input");
  tool.output_schema = schema(about.name, "output");
  tool.name = std::move(about.name);
  tool.title = std::move(about.title);
  tool.description = std::move(about.description);
  tool.effect = about.effect;
  tool.open_world = about.open_world;
  tool.toolset = std::move(about.toolset);
  tool.handler = std::move(handler);
  tool.at_hand = std::move(at_hand);
  return tool;
}

mcp::Tool make_tool(Context& context, About about, Handler handler) {
  return make_tool(std::move(about), [&context, handler](mcp::Json arguments, mcp::Call& call) {
    return handler(context, std::move(arguments), call);
  });
}

std::vector<mcp::Tool> all(Context& context) {
  std::vector<mcp::Tool> tools;
  for (auto* family :
       {repo_tools, workflow_tools, task_tools, task_query_tools, pool_tools, memory_tools,
        log_tools, metrics_tools, explain_tools, breaker_tools, message_tools, cache_tools, audit_tools}) {
    std::vector<mcp::Tool> some = family(context);
    tools.insert(tools.end(), std::make_move_iterator(some.begin()),
                 std::make_move_iterator(some.end()));
  }
  return tools;
}

const std::vector<std::string>& toolsets() {
  static const std::vector<std::string> names{"core", "message", "ops", "all"};
  return names;
}

std::string instructions() {
  return "Mahavishnu runs shell commands on worker pools across the configured git repositories "
         "and "
         "keeps every result.\n"
         "The way through: repo_list shows the repositories, tags and roles. workflow_run runs "
         "steps in "
         "each chosen repository (tests, then a clean-up with when: always, a summary with each: "
         "once); "
         "task_submit runs one command. Follow with workflow_get or task_get and wait_ms up to "
         "45000 "
         "instead of polling. Read what failed with task_output. When something does not start, "
         "explain "
         "says why.\n"
         "Work goes to the pool `default` unless a pool is named; pool_spawn makes another. Work "
         "goes on "
         "when you disconnect, and is known again by its id. Give an idempotency_key when a call "
         "may be "
         "repeated: the same key never runs twice. Lists are paged: pass next_cursor back as "
         "cursor. "
         "A failed task is a good answer about it; read its reason and its result. An error names "
         "the "
         "way out.";
}

}  // namespace mahavishnu::tools
