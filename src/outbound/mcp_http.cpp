#include "outbound/mcp_http.h"

namespace mahavishnu::outbound {
namespace {

using base::awaitable;
using base::Millis;
using base::Result;
using Kind = Verdict::Kind;

constexpr Millis kLastWord{1000};  // to a server that is left; it need not be heard

// The member of params that Mcp-Name repeats.
std::string name_in(const std::string& method, const Json& params) {
  const bool named = method == "tools/call" && params.is_object() && params.contains("name") &&
                     params["name"].is_string();
  return named ? params["name"].get<std::string>() : "";
}

}  // namespace

McpHttp::McpHttp(asio::any_io_executor executor, net::HttpClient& client, Options options)
    : executor_(std::move(executor)),
      client_(client),
      options_(std::move(options)),
      endpoint_(!options_.endpoint.empty()     ? options_.endpoint
                : client.origin().path.empty() ? "/mcp"
                                               : client.origin().path) {}

awaitable<Result<net::HttpReply>> McpHttp::send(net::HttpCall call) {
  return call_of(executor_, client_, std::move(call));
}

net::HttpCall McpHttp::call_to(std::string path, std::string body) const {
  net::HttpCall call;
  call.path = std::move(path);
  call.body = std::move(body);
  call.repeatable = options_.repeatable;
  call.headers = {{"Accept", "application/json, text/event-stream"}};
  for (const auto& header : options_.headers) call.headers.push_back(header);
  if (!options_.token.empty()) {
    call.headers.emplace_back("Authorization", "Bearer " + options_.token);
  }
  return call;
}

void McpHttp::add_headers(net::HttpCall& call, const std::string& method,
                          const std::string& name) const {
  if (!version_.empty()) call.headers.emplace_back("MCP-Protocol-Version", version_);
  if (!session_.empty()) call.headers.emplace_back("Mcp-Session-Id", session_);
  if (!modern_) return;
  call.headers.emplace_back("Mcp-Method", method);
  if (!name.empty()) call.headers.emplace_back("Mcp-Name", name);
}

// ── One request ──────────────────────────────────────────────────────────────────────────────────

// Reads an answer as it grows, on the client's thread; what it finds goes to the executor.
struct McpHttp::Listening {
  EventReader reader;
  std::int64_t id = 0;
  std::function<void(Json)> tell;

  bool answered_in(std::string_view body) {
    bool answered = false;
    for (Json& message : reader.take(body)) {
      if (answers(message, id)) {
        answered = true;
      } else if (message.contains("method")) {
        tell(std::move(message));
      }
    }
    return answered;
  }
};

awaitable<Verdict> McpHttp::exchange(Millis total, std::string method, Json params, Json progress,
                                     Heard heard) {
  const std::int64_t id = next_id_++;
  const std::string name = name_in(method, params);
  params = with_metadata(std::move(params), modern_, progress);
  net::HttpCall call = call_to(endpoint_, request_body(id, method, std::move(params)));
  call.total = total;
  add_headers(call, method, name);
  auto listening = std::make_shared<Listening>();
  listening->id = id;
  // Posted before the answer is, so it is told before it.
  listening->tell = [this, life = std::weak_ptr<char>(life_), executor = executor_,
                     heard = std::move(heard)](Json message) {
    asio::post(executor, [this, life, heard, message = std::move(message)] {
      if (!life.expired()) hear(message, heard);
    });
  };
  call.enough = [listening](std::string_view body) { return listening->answered_in(body); };
  const bool in_session = !session_.empty();
  under_way_ = id;
  const auto reply = co_await send(std::move(call));
  under_way_ = 0;
  last_status_ = reply ? reply->status : 0;
  if (reply && method == "initialize") session_ = reply->header("mcp-session-id");
  co_return judge_rpc(reply, id, in_session);
}

awaitable<Verdict> McpHttp::notify(std::string method, Json params, Millis total) {
  net::HttpCall call = call_to(endpoint_, request_body(0, method, std::move(params)));
  call.total = total;
  add_headers(call, method, "");
  const auto reply = co_await send(std::move(call));
  last_status_ = reply ? reply->status : 0;
  if (reply && reply->status >= 200 && reply->status < 300) co_return Verdict{};
  co_return judge_rpc(reply, 0, !session_.empty());
}

void McpHttp::hear(const Json& message, const Heard& heard) {
  if (!message.contains("id")) {
    if (heard) heard(message);
    return;
  }
  const std::string method =
      message["method"].is_string() ? message["method"].get<std::string>() : "";
  const Json& id = message["id"];
  const std::string body = method == "ping" ? pong_body(id) : not_served_body(id, method);
  net::HttpCall call = call_to(endpoint_, body);
  call.total = kLastWord;
  add_headers(call, method, "");
  client_.send(std::move(call), [](const Result<net::HttpReply>&) {});
}

awaitable<Verdict> McpHttp::request(std::string method, Json params, Json progress, Heard heard) {
  co_return co_await exchange(Millis(0), std::move(method), std::move(params), std::move(progress),
                              std::move(heard));
}

awaitable<Verdict> McpHttp::request_within(Millis total, std::string method, Json params) {
  co_return co_await exchange(total, std::move(method), std::move(params), Json(), Heard());
}

// ── The conversation ─────────────────────────────────────────────────────────────────────────────

void McpHttp::forget() {
  modern_ = false;
  session_.clear();
  version_.clear();
}

awaitable<Verdict> McpHttp::connect() {
  forget();
  Verdict verdict = co_await discover();
  if (verdict.kind != Kind::Accepted && last_status_ != 0) verdict = co_await shake_hands();
  co_return verdict;
}

awaitable<Verdict> McpHttp::discover() {
  modern_ = true;
  version_ = kModern;
  Verdict verdict =
      co_await exchange(Millis(0), "server/discover", Json::object(), Json(), Heard());
  if (verdict.kind != Kind::Accepted || speaks_modern(verdict.result)) co_return verdict;
  co_return Verdict{Kind::Trouble, std::string("it does not speak ") + kModern};
}

awaitable<Verdict> McpHttp::shake_hands() {
  modern_ = false;
  version_.clear();
  Json params = initialize_params();
  Verdict verdict = co_await exchange(Millis(0), "initialize", std::move(params), Json(), Heard());
  if (verdict.kind != Kind::Accepted) co_return verdict;
  version_ = agreed_version(verdict.result);
  Verdict told = co_await notify("notifications/initialized", Json(), Millis(0));
  co_return told.kind == Kind::Accepted ? std::move(verdict) : std::move(told);
}

// A server of the modern era sees that the stream of its answer is closed.
awaitable<void> McpHttp::cancel(std::string why) {
  if (modern_ || under_way_ == 0) co_return;
  Json params{{"requestId", under_way_}, {"reason", std::move(why)}};
  const auto heard = co_await notify("notifications/cancelled", std::move(params), kLastWord);
  static_cast<void>(heard);
}

awaitable<void> McpHttp::leave() {
  if (session_.empty()) co_return;
  net::HttpCall call = call_to(endpoint_, "");
  call.method = "DELETE";
  call.total = kLastWord;
  add_headers(call, "", "");
  const auto heard = co_await send(std::move(call));
  static_cast<void>(heard);
  session_.clear();
}

}  // namespace mahavishnu::outbound
