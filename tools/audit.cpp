// Tool `audit_search`: who called which tool, what was decided, what came of it.
#include "control/one_shot.h"
#include "tools/inputs.h"
#include "tools/listing.h"

namespace mahavishnu::tools {
namespace {

constexpr const char* kDecisions = "allowed, denied, limited";

Json row_view(const domain::AuditRow& row) {
  Json view{{"time", base::to_rfc3339(row.time)},
            {"caller", row.caller},
            {"tool", row.tool},
            {"decision", domain::to_string(row.decision)},
            {"calls", row.calls}};
  if (!row.arguments.empty()) view["arguments_sha256"] = row.arguments;
  if (!row.outcome.empty()) view["outcome"] = row.outcome;
  if (!row.made.empty()) view["made"] = row.made;
  return view;
}

base::awaitable<base::Result<domain::Listing<domain::AuditRow>>> found(Context& context,
                                                                       domain::AuditFilter filter,
                                                                       domain::Page page) {
  auto search = [&context, filter = std::move(filter), page = std::move(page)](auto answer) {
    context.audit.find(filter, page, std::move(answer));
  };
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await control::answer_of<domain::Listing<domain::AuditRow>>(executor,
                                                                           std::move(search));
}

base::awaitable<mcp::ToolResult> audit_search(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::AuditFilter filter;
  filter.caller = reader.text("caller");
  filter.tool = reader.text("tool");
  if (reader.has("decision")) {
    filter.decision = reader.choice("decision", domain::AuditDecision::Allowed,
                                    domain::parse_audit_decision, kDecisions);
  }
  filter.since = reader.time("since");
  filter.until = reader.time("until");
  domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  Fetch<domain::AuditRow> fetch = [&context, filter](domain::Page wanted) {
    return found(context, filter, std::move(wanted));
  };
  co_return co_await list_page<domain::AuditRow>(std::move(fetch), std::move(page), Json::object(),
                                                 "items", row_view);
}

}  // namespace

std::vector<mcp::Tool> audit_tools(Context& context) {
  About search{"audit_search", "Search the audit",
               "Who called which tool, whether it was allowed, and what it made, newest first, by "
               "caller, tool, decision and time. Calls that only read are counted. Use log_search "
               "for what happened to work."};
  search.toolset = "ops";
  std::vector<mcp::Tool> tools;
  tools.push_back(make_tool(context, std::move(search), audit_search));
  return tools;
}

}  // namespace mahavishnu::tools
