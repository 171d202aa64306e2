// Tools `memory_store` and `memory_search`: what finished tasks and callers left to remember.
#include <algorithm>

#include "control/one_shot.h"
#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/lookups.h"
#include "tools/registry.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kMostTags = 32;
constexpr std::size_t kMetadataEntries = 32;
constexpr std::size_t kMetadataBytes = 1024;
constexpr const char* kLocal = "local";

// Tags are shown and matched as one line each.
std::vector<std::string> read_tags(Reader& reader) {
  auto tags = reader.texts("tags", kMostTags, kNameBytes);
  const auto bad = [](const std::string& tag) {
    return tag.empty() ||
           std::any_of(tag.begin(), tag.end(), [](unsigned char c) { return c < ' '; });
  };
  if (std::any_of(tags.begin(), tags.end(), bad)) {
    reader.refuse("tags: a tag is not empty and has no control characters");
  }
  return tags;
}

base::awaitable<mcp::ToolResult> memory_store(Context& context, Json arguments, mcp::Call& call) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::NewMemory memory;
  memory.content = reader.any_text("content", domain::kMemoryContentBytes);
  memory.tags = read_tags(reader);
  memory.metadata = reader.map("metadata", kMetadataEntries, kMetadataBytes);
  memory.dedup_key = reader.text("dedup_key", kKeyBytes);
  memory.caller = call.caller();
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto ask = [&context, &memory](auto callback) {
    context.memories.store(std::move(memory), std::move(callback));
  };
  const auto executor = co_await asio::this_coro::executor;
  auto stored = co_await control::answer_of<domain::StoredMemory>(executor, std::move(ask));
  if (!stored) co_return fail(stored.error());
  co_return rpc::dump(
      Json{{"memory", stored->id.str()}, {"status", stored->duplicate ? "duplicate" : "stored"}});
}

Json hit_view(const domain::MemoryHit& hit) {
  const domain::Memory& memory = hit.memory;
  Json view{{"memory", memory.id.str()}, {"source", kLocal},
            {"score", hit.score},        {"title", memory.title},
            {"snippet", hit.snippet},    {"time", base::to_rfc3339(memory.time)}};
  const auto put = [&view](const char* name, const std::string& text) {
    if (!text.empty()) view[name] = text;
  };
  put("pool", memory.pool_name);
  put("repo", memory.repo);
  put("state", memory.state);
  put("reason", memory.reason);
  if (memory.exit_code) view["exit_code"] = *memory.exit_code;
  if (!memory.tags.empty()) view["tags"] = memory.tags;
  if (!memory.metadata.empty()) view["metadata"] = memory.metadata;
  if (!memory.task.is_null()) {
    view["task"] = memory.task.str();
    view["run_ms"] = memory.run_time.count();
  }
  return view;
}

base::awaitable<mcp::ToolResult> memory_search(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::MemoryQuery query;
  query.words = reader.any_text("query", domain::kMemoryQueryBytes);
  query.pools = reader.texts("pools", kMostTags, kNameBytes);
  for (std::string& repo : reader.texts("repos", kMostTags, kNameBytes)) {
    query.repos.push_back(canonical_repo(context, std::move(repo)));
  }
  query.tags = read_tags(reader);
  query.since = reader.time("since");
  query.limit = static_cast<int>(reader.integer("limit", 10, 1, 50));
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto ask = [&context, &query](auto callback) {
    context.memories.search(std::move(query), std::move(callback));
  };
  const auto executor = co_await asio::this_coro::executor;
  auto found = co_await control::answer_of<domain::MemoriesFound>(executor, std::move(ask));
  if (!found) co_return fail(found.error());
  const Json source{{"source", kLocal}, {"answered", true}, {"behind", found->behind}};
  ItemList list(Json{{"matched", found->all_words ? "all_words" : "any_word"},
                     {"sources", Json::array({source})}});
  for (const domain::MemoryHit& hit : found->hits) {
    if (!list.add(hit_view(hit))) break;
  }
  co_return list.finish("hits", "");
}

}  // namespace

std::vector<mcp::Tool> memory_tools(Context& context) {
  std::vector<mcp::Tool> tools;
  tools.push_back(
      make_tool(context,
                {"memory_store", "Remember something",
                 "Keep a text (a finding, a decision) for later searches, durably. "
                 "Finished tasks are remembered without it. Use workflow or task labels "
                 "to tag what tasks leave.",
                 mcp::Effect::Additive},
                memory_store));
  tools.push_back(make_tool(context,
                            {"memory_search", "Search memories",
                             "Find what was done or noted before, by words: commands, outcomes and "
                             "the end of output of ended tasks, and stored texts, best first. Use "
                             "task_list to filter by state, task_output for the whole output."},
                            memory_search));
  return tools;
}

}  // namespace mahavishnu::tools
