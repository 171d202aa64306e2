// Tool `log_search`: what happened, from the history of changes of state and lines of the log, here
// or as OpenSearch has it.
#include <map>
#include <memory>

#include "base/cache.h"
#include "control/one_shot.h"
#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/lookups.h"

namespace mahavishnu::tools {
namespace {

using domain::LogLevel;

constexpr const char* kLevels = "trace, debug, info, warn, error";
constexpr std::size_t kQueryBytes = 1024;
constexpr const char* kLocal = "local";
constexpr const char* kRemote = "opensearch";

// Pages of OpenSearch: what is asked for twice within moments is asked for once.
using Pages = base::Cache<std::string, domain::LogPage>;
constexpr base::CacheLimits kPages{100, 8U << 20U, base::Millis(5000)};

std::optional<bool> parse_source(std::string_view word) {
  if (word == kLocal) return false;
  if (word == kRemote) return true;
  return std::nullopt;
}

std::size_t bytes_of(const domain::LogPage& page) {
  std::size_t bytes = sizeof page;
  for (const auto& entry : page.items) bytes += sizeof entry + entry.text.size();
  return bytes;
}

// Pools that are there by their names, as their tools know them; others by their ids.
class PoolNames {
 public:
  explicit PoolNames(const Context& context) : context_(context) {}

  const std::string& of(domain::PoolId pool) {
    auto& name = names_[pool];
    if (name.empty()) {
      const std::string id = pool.str();
      const auto known = context_.service.pool(id);
      name = known ? known->record.spec.name : id;
    }
    return name;
  }

 private:
  const Context& context_;
  std::map<domain::PoolId, std::string> names_;
};

Json entry_view(const domain::LogEntry& entry, PoolNames& pools) {
  Json view{{"time", base::to_rfc3339(entry.time)},
            {"kind", entry.kind},
            {"level", to_string(entry.level)}};
  if (!entry.text.empty()) view["text"] = entry.text;
  if (entry.task) view["task"] = entry.task.str();
  if (entry.workflow) view["workflow"] = entry.workflow.str();
  if (entry.pool) view["pool"] = pools.of(entry.pool);
  if (!entry.repo.empty()) view["repo"] = entry.repo;
  if (!entry.node.empty()) view["node"] = entry.node;
  return view;
}

domain::LogFilter read_filter(const Context& context, Reader& reader) {
  domain::LogFilter filter;
  filter.query = reader.text("query", kQueryBytes);
  filter.least = reader.choice("level", LogLevel::Trace, domain::parse_log_level, kLevels);
  filter.task = read_id<domain::TaskId>(reader, "task");
  filter.workflow = read_id<domain::WorkflowId>(reader, "workflow");
  filter.repo = canonical_repo(context, reader.text("repo"));
  filter.since = reader.time("since");
  filter.until = reader.time("until");
  if (filter.since && filter.until && *filter.since > *filter.until) {
    reader.refuse("since is after until: nothing lies between them; exchange them");
  }
  return filter;
}

// `pages`: of OpenSearch, which is asked then; null: here. `asked` is what tells one question from
// another, but for the limit.
base::awaitable<base::Result<domain::LogPage>> found(Context& context, std::shared_ptr<Pages> pages,
                                                     std::string asked, domain::LogFilter filter,
                                                     domain::Page page) {
  asked += " " + std::to_string(page.limit);
  auto search = [&context, pages, asked = std::move(asked), filter = std::move(filter),
                 page = std::move(page)](auto answer) {
    if (!pages) return context.log.entries(filter, page, std::move(answer));
    const auto load = [&context, filter, page](auto loaded) {
      context.remote_log.entries(filter, page, std::move(loaded));
    };
    pages->get(asked, load, std::move(answer));
  };
  const auto executor = co_await asio::this_coro::executor;
  co_return co_await control::answer_of<domain::LogPage>(executor, std::move(search));
}

base::awaitable<mcp::ToolResult> log_search(Context& context, std::shared_ptr<Pages> pages,
                                            Json arguments) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::LogFilter filter = read_filter(context, reader);
  const std::string pool = reader.text("pool");
  const bool remote = reader.choice("source", false, parse_source, "local, opensearch");
  domain::Page page = read_page(reader);
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const char* const source = remote ? kRemote : kLocal;
  if (!pool.empty()) {
    const auto meant = pool_meant(context, pool);
    if (!meant) co_return rpc::dump(Json{{"items", Json::array()}, {"source", source}});
    filter.pool = *meant;
  }
  const std::string asked = rpc::dump(arguments) + filter.pool.str();
  if (!remote) pages.reset();
  PoolNames pools(context);
  while (true) {
    auto answer = co_await found(context, pages, asked, filter, page);
    if (!answer) co_return fail(answer.error());
    Json head{{"source", source}};
    if (answer->cut_short) head["truncated"] = true;
    ItemList list(head);
    for (const auto& entry : answer->items) {
      if (!list.add(entry_view(entry, pools))) break;
    }
    if (list.size() == answer->items.size()) co_return list.finish("items", answer->next_cursor);
    page.limit = static_cast<int>(list.size());  // too long together: the same page, shorter
  }
}

}  // namespace

std::vector<mcp::Tool> log_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  const auto clock = [&context] { return context.timers.now().mono; };
  auto pages = std::make_shared<Pages>(kPages, bytes_of, clock);
  context.caches.add("opensearch_pages", *pages);
  tools.push_back(make_tool(
      {"log_search", "Search what happened",
       "Changes of state (task_failed, pool_put, …) and lines of the server's log, newest first, "
       "by words, level, time, task, workflow, pool or repository. Use task_output for what a task "
       "printed, explain for why something waits."},
      [&context, pages](Json arguments, mcp::Call&) {
        return log_search(context, pages, std::move(arguments));
      }));
  return tools;
}

}  // namespace mahavishnu::tools
