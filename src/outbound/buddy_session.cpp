#include "outbound/buddy_session.h"

#include <memory>
#include <optional>
#include <utility>

#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using base::awaitable;
using base::Result;
using Kind = Verdict::Kind;

constexpr const char* kModern = "2026-07-28";
constexpr const char* kOffered = "2025-11-25";
constexpr int kMostPages = 50;  // of tools/list

Json client_info() { return {{"name", "mahavishnu"}, {"version", MAHAVISHNU_VERSION}}; }

Json modern_metadata() {
  return {{"io.modelcontextprotocol/protocolVersion", kModern},
          {"io.modelcontextprotocol/clientInfo", client_info()},
          {"io.modelcontextprotocol/clientCapabilities", Json::object()}};
}

// What one coroutine waits for and a client's thread brings.
struct Waiting {
  explicit Waiting(const asio::any_io_executor& executor)
      : ready(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer ready;  // never fires by itself
  std::optional<Result<net::HttpReply>> reply;
};

Verdict verdict_of(Kind kind, std::string error) { return {kind, std::move(error), {}}; }

bool is_missing(int status) { return status == 404 || status == 405; }

}  // namespace

BuddySession::BuddySession(asio::any_io_executor executor, net::HttpClient& client, Options options)
    : executor_(std::move(executor)),
      client_(client),
      options_(std::move(options)),
      endpoint_(client.origin().path.empty() ? "/mcp" : client.origin().path) {}

awaitable<Result<net::HttpReply>> BuddySession::send(net::HttpCall call) {
  auto waiting = std::make_shared<Waiting>(executor_);
  auto answered = [waiting, executor = executor_](Result<net::HttpReply> reply) mutable {
    // What is waited on ends on the executor, not with the client's thread.
    asio::post(executor, [waiting = std::move(waiting), reply = std::move(reply)]() mutable {
      waiting->reply = std::move(reply);
      waiting->ready.cancel();
    });
  };
  client_.send(std::move(call), std::move(answered));
  // Always answered: the client answers within its limits, or when it is stopped.
  while (!waiting->reply) {
    waiting->ready.expires_at(asio::steady_timer::time_point::max());
    co_await waiting->ready.async_wait(base::as_result);
  }
  co_return std::move(*waiting->reply);
}

net::HttpCall BuddySession::call_to(std::string path, std::string body) const {
  net::HttpCall call;
  call.path = std::move(path);
  call.body = std::move(body);
  call.repeatable = true;  // an item may come twice, and carries its id
  call.headers = {{"Accept", "application/json, text/event-stream"}};
  if (!options_.token.empty()) {
    call.headers.emplace_back("Authorization", "Bearer " + options_.token);
  }
  return call;
}

// One JSON-RPC request, or with no id in it a notification, in the dialect that is spoken or tried.
awaitable<Verdict> BuddySession::request(const char* method, Json params, std::string name,
                                         base::Millis total) {
  const Dialect dialect = connected() ? dialect_ : trying_;
  const std::string_view what = method;
  const bool notification = what.starts_with("notifications/");
  const std::int64_t id = notification ? 0 : next_id_++;
  if (dialect == Dialect::Modern) params["_meta"] = modern_metadata();
  net::HttpCall call = call_to(endpoint_, request_body(id, method, std::move(params)));
  call.total = total;
  if (!version_.empty()) call.headers.emplace_back("MCP-Protocol-Version", version_);
  if (!session_.empty()) call.headers.emplace_back("Mcp-Session-Id", session_);
  if (dialect == Dialect::Modern) {
    call.headers.emplace_back("Mcp-Method", method);
    if (!name.empty()) call.headers.emplace_back("Mcp-Name", name);
  }
  if (!notification) {
    call.enough = [id](std::string_view body) {
      return body.ends_with("\n\n") && !find_answer("text/event-stream", body, id).is_null();
    };
  }
  const bool in_session = !session_.empty();
  const auto reply = co_await send(std::move(call));
  last_status_ = reply ? reply->status : 0;
  if (reply && what == "initialize") session_ = reply->header("mcp-session-id");
  if (notification && reply && reply->status >= 200 && reply->status < 300) co_return Verdict{};
  co_return judge_rpc(reply, id, in_session);
}

// ── Finding out how it speaks ────────────────────────────────────────────────────────────────────

awaitable<Verdict> BuddySession::connect() {
  dialect_ = Dialect::None;
  tools_ = {};
  session_.clear();
  version_.clear();
  Verdict verdict;
  if (options_.protocol != Protocol::Rest) {
    verdict = co_await discover();
    if (verdict.kind != Kind::Accepted && last_status_ != 0) verdict = co_await shake_hands();
    const bool missing = verdict.kind != Kind::Accepted && is_missing(last_status_);
    if (!missing || options_.protocol == Protocol::Mcp) {
      if (verdict.kind == Kind::Accepted) verdict = co_await list_tools();
      if (verdict.kind == Kind::Accepted) {
        dialect_ = trying_;
        ++conversation_;
      } else if (verdict.kind != Kind::Cancelled) {
        verdict.kind = Kind::Trouble;
      }
      co_return verdict;
    }
  }
  tools_.store.name = "store_memory";
  session_.clear();
  version_.clear();
  dialect_ = Dialect::Rest;
  ++conversation_;
  co_return Verdict{};
}

awaitable<Verdict> BuddySession::discover() {
  trying_ = Dialect::Modern;
  version_ = kModern;
  Verdict verdict = co_await request("server/discover", Json::object(), "", base::Millis(0));
  if (verdict.kind != Kind::Accepted) co_return verdict;
  const Json versions = verdict.result.is_object()
                            ? verdict.result.value("supportedVersions", Json::array())
                            : Json::array();
  for (const Json& version : versions) {
    if (version == kModern) co_return verdict;
  }
  co_return verdict_of(Kind::Trouble, std::string("it does not speak ") + kModern);
}

awaitable<Verdict> BuddySession::shake_hands() {
  trying_ = Dialect::Handshake;
  version_.clear();
  Json params{{"protocolVersion", kOffered},
              {"capabilities", Json::object()},
              {"clientInfo", client_info()}};
  Verdict verdict = co_await request("initialize", std::move(params), "", base::Millis(0));
  if (verdict.kind != Kind::Accepted) co_return verdict;
  version_ = kOffered;
  if (verdict.result.is_object() && verdict.result.contains("protocolVersion") &&
      verdict.result["protocolVersion"].is_string()) {
    version_ = verdict.result["protocolVersion"];
  }
  verdict = co_await request("notifications/initialized", Json(), "", base::Millis(0));
  co_return verdict;
}

awaitable<Verdict> BuddySession::list_tools() {
  std::string cursor;
  for (int page = 0; page < kMostPages; ++page) {
    Json params = Json::object();
    if (!cursor.empty()) params["cursor"] = cursor;
    Verdict verdict = co_await request("tools/list", std::move(params), "", base::Millis(0));
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
    net::HttpCall call = call_to(path, rpc::dump({{"name", name}, {"arguments", arguments}}));
    call.total = total;
    const auto reply = co_await send(std::move(call));
    co_return judge_rest(reply);
  }
  Json params{{"name", name}, {"arguments", std::move(arguments)}};
  Verdict verdict = co_await request("tools/call", std::move(params), std::move(name), total);
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
    case Dialect::Modern:
    case Dialect::Handshake:
      break;
  }
  return "mcp " + version_ + ", " + tools_.store.name;
}

}  // namespace mahavishnu::outbound
