#include "outbound/mcp_stream.h"

#include <utility>

#include "domain/memories.h"
#include "rpc/codec.h"

namespace mahavishnu::outbound {
namespace {

using base::awaitable;
using base::ErrorCode;
using Kind = Verdict::Kind;

// A line or two of greeting are let pass; who says more than this does not speak MCP.
constexpr int kMostNoise = 100;
constexpr std::size_t kNoiseBytes = 80;

Verdict gone(ErrorCode code, std::string why) {
  return {Kind::Trouble, std::move(why), {}, 0, code};
}

}  // namespace

void McpStream::abandon() {
  abandoned_ = true;
  connection_.close();
}

// What it said before tells more than that it has gone.
Verdict McpStream::closed(std::string why) const {
  if (abandoned_) return {Kind::Cancelled, "the conversation was broken off"};
  if (noise_ > 0) why += "; it had said what is no message: " + first_noise_;
  return gone(ErrorCode::Unavailable, std::move(why));
}

awaitable<Verdict> McpStream::probe() {
  modern_ = true;
  Verdict verdict = co_await request("server/discover", Json::object(), Json(), Heard());
  if (verdict.kind == Kind::Accepted && !speaks_modern(verdict.result)) {
    verdict = {Kind::Trouble, std::string("it does not speak ") + kModern};
  }
  modern_ = verdict.kind == Kind::Accepted;
  if (modern_) version_ = kModern;
  co_return verdict;
}

awaitable<Verdict> McpStream::shake_hands() {
  Json params = initialize_params();
  Verdict verdict = co_await request("initialize", std::move(params), Json(), Heard());
  if (verdict.kind != Kind::Accepted) co_return verdict;
  version_ = agreed_version(verdict.result);
  if (verdict.result.is_object()) {
    server_info_ = verdict.result.value("serverInfo", Json::object());
  }
  std::string ready = rpc::encode_notification("notifications/initialized", Json());
  auto sent = co_await connection_.write(std::move(ready));
  if (!sent) co_return closed("the server is gone: " + sent.error().message);
  co_return verdict;
}

awaitable<Verdict> McpStream::request(std::string method, Json params, Json progress, Heard heard) {
  const std::string number = std::to_string(++last_id_);
  rpc::RequestId id;
  id.value = rpc::RequestId::Number{number};
  params = with_metadata(std::move(params), modern_, progress);
  std::string text = rpc::encode_request(id, method, params);
  bool late = false;
  if (limit_.count() > 0) {
    timer_.expires_after(limit_);
    timer_.async_wait([this, &late](asio::error_code cancelled) {
      if (cancelled) return;
      late = true;
      connection_.close();
    });
  }
  Verdict verdict;
  under_way_ = true;
  if (auto sent = co_await connection_.write(std::move(text)); !sent) {
    verdict = closed("the server is gone: " + sent.error().message);
  } else {
    verdict = co_await answer_to(number, std::move(heard));
  }
  under_way_ = false;
  if (limit_.count() > 0 && !late && timer_.cancel() == 0) {
    // The limit passed in this very moment: let its handler run while `late` still exists.
    co_await asio::post(base::use_awaitable);
  }
  if (late) co_return gone(ErrorCode::Deadline, method + " was not answered in time");
  co_return verdict;
}

awaitable<Verdict> McpStream::answer_to(std::string id, Heard heard) {
  while (true) {
    auto text = co_await connection_.read();
    if (!text && text.error().code == ErrorCode::Exhausted) {
      co_return gone(ErrorCode::Exhausted, "its answer is too long: " + text.error().message);
    }
    if (!text) co_return closed("the server is gone: " + text.error().message);
    if (!*text) co_return closed("the server has closed the connection");
    for (auto& message : rpc::decode(**text).messages) {
      if (auto* request = std::get_if<rpc::Request>(&message)) {
        auto met = co_await meet(std::move(*request));
        if (!met) co_return closed("the server is gone: " + met.error().message);
      } else if (auto* told = std::get_if<rpc::Notification>(&message)) {
        if (heard) heard(Json{{"method", told->method}, {"params", std::move(told->params)}});
      } else if (auto* response = std::get_if<rpc::Response>(&message)) {
        if (response->id.to_json() != id) continue;
        if (auto* error = std::get_if<rpc::RpcError>(&response->outcome)) {
          co_return judge_error(*error);
        }
        co_return Verdict{Kind::Accepted, "", std::get<Json>(std::move(response->outcome))};
      } else if (++noise_ == 1) {
        first_noise_ = "\"" + cut(domain::plain_text(**text), kNoiseBytes) + "\"";
      } else if (noise_ > kMostNoise) {
        co_return gone(ErrorCode::Unavailable,
                       "it does not speak MCP, but says things like " + first_noise_);
      }
    }
  }
}

// The only thing a server may ask of a client that declared nothing is a ping.
awaitable<base::Status> McpStream::meet(rpc::Request request) {
  rpc::RpcError refusal;
  refusal.code = rpc::error_code::kMethodNotFound;
  refusal.message = request.method + " is not served here";
  std::string answer = request.method == "ping" ? rpc::encode_result(request.id, "{}")
                                                : rpc::encode_error(request.id, refusal);
  auto sent = co_await connection_.write(std::move(answer));
  co_return sent;
}

awaitable<void> McpStream::cancel(std::string why) {
  if (!under_way_) co_return;
  const Json params{{"requestId", last_id_}, {"reason", std::move(why)}};
  std::string text = rpc::encode_notification("notifications/cancelled", params);
  const auto heard = co_await connection_.write(std::move(text));
  static_cast<void>(heard);
}

awaitable<void> McpStream::leave() {
  connection_.close();
  co_return;
}

}  // namespace mahavishnu::outbound
