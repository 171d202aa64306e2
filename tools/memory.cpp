// Tools `memory_store`, `memory_search` and `memory_sync`: what finished tasks and callers left to
// remember, here and on the memory server.
#include <algorithm>

#include "control/one_shot.h"
#include "rpc/codec.h"
#include "tools/inputs.h"
#include "tools/json_views.h"
#include "tools/lookups.h"
#include "tools/registry.h"
#include "tools/token_estimate.h"

namespace mahavishnu::tools {
namespace {

constexpr std::size_t kMostTags = 32;
constexpr std::size_t kMetadataEntries = 32;
constexpr std::size_t kMetadataBytes = 1024;
constexpr std::size_t kMetadataTokens = kAnswerTokens / 2;
constexpr const char* kLocal = "local";
constexpr const char* kRemote = "session_buddy";
constexpr base::Millis kLongestWait{45'000};

enum class Scope { Local, Remote, All };

std::optional<Scope> parse_scope(std::string_view word) {
  if (word == kLocal) return Scope::Local;
  if (word == kRemote) return Scope::Remote;
  if (word == "all") return Scope::All;
  return std::nullopt;
}

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
  refuse_longer(reader, "metadata", memory.metadata, kMetadataTokens);
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

Json hit_view(const domain::RemoteHit& hit) {
  Json view{{"memory", hit.id},
            {"source", kRemote},
            {"score", hit.score},
            {"title", hit.title},
            {"snippet", hit.snippet}};
  if (hit.id.empty()) view.erase("memory");
  return view;
}

// What both sides were asked, at the same time; null: it was not.
struct Asked {
  template <class T>
  using Shot = std::shared_ptr<control::OneShot<Result<T>>>;
  Shot<domain::MemoriesFound> local;
  Shot<std::vector<domain::RemoteHit>> remote;
};

Asked ask_for(Context& context, Scope scope, domain::MemoryQuery query,
              const asio::any_io_executor& executor) {
  Asked asked;
  if (scope != Scope::Local) {
    auto shot =
        std::make_shared<Asked::Shot<std::vector<domain::RemoteHit>>::element_type>(executor);
    asked.remote = shot;
    context.sync.search(query.words, query.limit,
                        [shot](auto hits) { shot->set(std::move(hits)); });
  }
  if (scope != Scope::Remote) {
    auto shot = std::make_shared<Asked::Shot<domain::MemoriesFound>::element_type>(executor);
    asked.local = shot;
    context.memories.search(std::move(query), [shot](auto found) { shot->set(std::move(found)); });
  }
  return asked;
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
  const Scope scope =
      reader.choice("scope", Scope::Local, parse_scope, "local, session_buddy, all");
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  const auto executor = co_await asio::this_coro::executor;
  const Asked asked = ask_for(context, scope, std::move(query), executor);
  Json sources = Json::array();
  Json head{{"sources", Json::array()}};
  std::vector<Json> hits;
  if (asked.local) {
    auto found = co_await control::OneShot<Result<domain::MemoriesFound>>::wait(asked.local);
    if (!found) co_return fail(found.error());
    head["matched"] = found->all_words ? "all_words" : "any_word";
    sources.push_back({{"source", kLocal}, {"answered", true}, {"behind", found->behind}});
    for (const auto& hit : found->hits) hits.push_back(hit_view(hit));
  }
  if (asked.remote) {
    auto found =
        co_await control::OneShot<Result<std::vector<domain::RemoteHit>>>::wait(asked.remote);
    if (!found && !asked.local) co_return fail(found.error());
    Json source{{"source", kRemote}, {"answered", found.has_value()}};
    if (!found) source["error"] = found.error().message;
    sources.push_back(std::move(source));
    for (const auto& hit : found.value_or(std::vector<domain::RemoteHit>{})) {
      hits.push_back(hit_view(hit));
    }
  }
  head["sources"] = std::move(sources);
  ItemList list(head);
  for (const Json& hit : hits) {
    if (!list.add(hit)) break;
  }
  co_return list.finish("hits", "");
}

base::awaitable<mcp::ToolResult> memory_sync(Context& context, Json arguments, mcp::Call&) {
  std::optional<Error> problem;
  Reader reader(arguments, "", problem);
  domain::SyncRequest request;
  request.wait = reader.millis("wait_ms", base::Millis(0), kLongestWait);
  request.retry_dead = reader.flag("retry_dead");
  if (auto good = reader.finish(); !good) co_return fail(good.error());
  auto ask = [&context, request](auto callback) {
    context.sync.sync(request, std::move(callback));
  };
  const auto executor = co_await asio::this_coro::executor;
  auto status = co_await control::answer_of<domain::SyncStatus>(executor, std::move(ask));
  if (!status) co_return fail(status.error());
  Json answer{{"state", domain::to_string(status->state)},
              {"outbox", status->outbox.waiting},
              {"in_flight", status->in_flight},
              {"dead", status->outbox.dead},
              {"sent", status->sent},
              {"accepted", status->accepted},
              {"retried", status->retried},
              {"breaker", domain::to_string(status->breaker)}};
  if (status->outbox.oldest) {
    const auto age = context.timers.now().wall - *status->outbox.oldest;
    answer["oldest_ms"] = std::max<std::int64_t>(age.count(), 0);
  }
  if (!status->target.empty()) answer["target"] = status->target;
  if (!status->spoken.empty()) answer["spoken"] = status->spoken;
  if (status->retry_in.count() > 0) answer["retry_in_ms"] = status->retry_in.count();
  if (!status->last_error.empty()) answer["last_error"] = status->last_error;
  if (status->last_error_at != base::WallTime{}) {
    answer["last_error_at"] = base::to_rfc3339(status->last_error_at);
  }
  co_return rpc::dump(answer);
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
  tools.push_back(make_tool(context,
                            {"memory_sync", "Sync memories now",
                             "How sending memories to the memory server goes, and a try now: what "
                             "waits, what was accepted, dead letters, why it fails. Use "
                             "memory_search scope all to search there.",
                             mcp::Effect::Idempotent, true},
                            memory_sync));
  return tools;
}

}  // namespace mahavishnu::tools
