#include "outbound/buddy_session.h"

#include <utility>

#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using base::awaitable;
using base::Result;
using Kind = Verdict::Kind;

constexpr int kMostPages = 50;  // of tools/list

McpHttp::Options mcp_options(const BuddySession::Options& options) {
  McpHttp::Options mcp;
  mcp.token = options.token;
  mcp.repeatable = true;  // an item may come twice, and carries its id
  return mcp;
}

Verdict verdict_of(Kind kind, std::string error) { return {kind, std::move(error)}; }

bool is_missing(int status) { return status == 404 || status == 405; }

}  // namespace

BuddySession::BuddySession(asio::any_io_executor executor, net::HttpClient& client, Options options)
    : client_(client),
      options_(std::move(options)),
      mcp_(std::move(executor), client, mcp_options(options_)) {}

// ── Finding out how it speaks ────────────────────────────────────────────────────────────────────

awaitable<Verdict> BuddySession::connect() {
  dialect_ = Dialect::None;
  tools_ = {};
  if (options_.protocol != Protocol::Rest) {
    Verdict verdict = co_await mcp_.connect();
    const bool missing = verdict.kind != Kind::Accepted && is_missing(mcp_.last_status());
    if (!missing || options_.protocol == Protocol::Mcp) {
      if (verdict.kind == Kind::Accepted) verdict = co_await list_tools();
      if (verdict.kind == Kind::Accepted) {
        dialect_ = Dialect::Mcp;
        ++conversation_;
      } else if (verdict.kind != Kind::Cancelled) {
        verdict.kind = Kind::Trouble;
      }
      co_return verdict;
    }
  }
  tools_.store.name = "store_memory";
  mcp_.forget();
  dialect_ = Dialect::Rest;
  ++conversation_;
  co_return Verdict{};
}

awaitable<Verdict> BuddySession::list_tools() {
  std::string cursor;
  for (int page = 0; page < kMostPages; ++page) {
    Json params = Json::object();
    if (!cursor.empty()) params["cursor"] = cursor;
    Verdict verdict =
        co_await mcp_.request_within(base::Millis(0), "tools/list", std::move(params));
    if (verdict.kind != Kind::Accepted) co_return verdict;
    const Json& result = verdict.result;
    if (!result.is_object()) break;
    if (result.contains("tools")) choose(result["tools"], tools_);
    const bool more = result.contains("nextCursor") && result["nextCursor"].is_string();
    cursor = more ? result["nextCursor"].get<std::string>() : "";
    if (cursor.empty()) break;
  }
  if (tools_.store) co_return Verdict{};
  co_return verdict_of(Kind::Trouble,
                       "it has none of the tools store_memory, store_conversation, "
                       "store_reflection; start it with one of them");
}

void BuddySession::forget(std::uint64_t began) {
  if (began == conversation_) dialect_ = Dialect::None;
}

// ── Using it ─────────────────────────────────────────────────────────────────────────────────────

awaitable<Verdict> BuddySession::call_tool(std::string name, Json arguments, base::Millis total) {
  if (dialect_ == Dialect::Rest) {
    const std::string path = client_.origin().path + "/tools/call";
    net::HttpCall call = mcp_.call_to(path, rpc::dump({{"name", name}, {"arguments", arguments}}));
    call.total = total;
    const auto reply = co_await mcp_.send(std::move(call));
    co_return judge_rest(reply);
  }
  Json params{{"name", name}, {"arguments", std::move(arguments)}};
  Verdict verdict = co_await mcp_.request_within(total, "tools/call", std::move(params));
  co_return judge_tool(std::move(verdict));
}

awaitable<Verdict> BuddySession::store(domain::Memory memory) {
  Json arguments = store_arguments(tools_.store, memory);
  Verdict verdict = co_await call_tool(tools_.store.name, std::move(arguments), base::Millis(0));
  co_return verdict;
}

awaitable<Verdict> BuddySession::search(std::string words, int limit) {
  if (!tools_.search) {
    co_return verdict_of(Kind::Refused, "it has no tool to search with");
  }
  Json arguments = search_arguments(tools_.search, words, limit);
  Verdict verdict =
      co_await call_tool(tools_.search.name, std::move(arguments), options_.search_limit);
  co_return verdict;
}

std::string BuddySession::spoken() const {
  switch (dialect_) {
    case Dialect::None:
      return "";
    case Dialect::Rest:
      return "rest, " + tools_.store.name;
    case Dialect::Mcp:
      break;
  }
  return "mcp " + mcp_.version() + ", " + tools_.store.name;
}

}  // namespace mahavishnu::outbound
