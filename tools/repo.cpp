// Tool `repo_list`: the repositories work may run in, and what each checkout is at.
#include "tools/repo_answers.h"

namespace mahavishnu::tools {

std::vector<mcp::Tool> repo_tools(Context& context) {
  About about;
  about.name = "repo_list";
  about.title = "List repositories";
  about.description =
      "Start here: the repositories work can run in, with tags and role (to choose them in "
      "workflow_run), path, branch and commit. Filters intersect.";
  auto answers = std::make_shared<RepoAnswers>(context);
  context.caches.add("repositories", answers->kept());
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(
      std::move(about),
      [answers](mcp::Json arguments, mcp::Call&) { return answers->answer(std::move(arguments)); },
      [answers](const mcp::Json& arguments) { return answers->at_hand(arguments); }));
  return tools;
}

}  // namespace mahavishnu::tools
