#include "app/mcp_client.h"

#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

constexpr const char* kProtocol = "2025-11-25";

// What a tool said: its structured result, or its own words as the error.
Result<Json> outcome_of(const Json& result) {
  if (result.value("isError", false)) {
    std::string text;
    for (const auto& part : result.value("content", Json::array())) text += part.value("text", "");
    return fail(ErrorCode::Internal, text.empty() ? "the tool failed without a word" : text);
  }
  const auto structured = result.find("structuredContent");
  if (structured == result.end())
    return fail(ErrorCode::Internal, "the answer has no structured result");
  return *structured;
}

}  // namespace

awaitable<Result<Json>> McpClient::initialize() {
  Json params = {{"protocolVersion", kProtocol},
                 {"capabilities", Json::object()},
                 {"clientInfo", {{"name", "mahavishnu-cli"}, {"version", MAHAVISHNU_VERSION}}}};
  auto hello = co_await request("initialize", std::move(params));
  if (!hello) co_return hello;
  std::string ready = rpc::encode_notification("notifications/initialized", Json());
  auto sent = co_await connection_.write(std::move(ready));
  if (!sent) co_return fail(sent.error());
  co_return hello->value("serverInfo", Json::object());
}

awaitable<Result<Json>> McpClient::call(std::string tool, Json arguments) {
  Json params = {{"name", std::move(tool)}, {"arguments", std::move(arguments)}};
  auto result = co_await request("tools/call", std::move(params));
  if (!result) co_return result;
  co_return outcome_of(*result);
}

awaitable<Result<Json>> McpClient::request(std::string method, Json params) {
  const std::string number = std::to_string(++last_id_);
  rpc::RequestId id;
  id.value = rpc::RequestId::Number{number};
  std::string text = rpc::encode_request(id, method, params);
  bool late = false;
  timer_.expires_after(limit_);
  timer_.async_wait([this, &late](asio::error_code cancelled) {
    if (cancelled) return;
    late = true;
    connection_.close();
  });
  Result<Json> answer = Json();
  if (auto sent = co_await connection_.write(std::move(text)); !sent) {
    answer = fail(ErrorCode::Unavailable, "the server is gone: " + sent.error().message);
  } else {
    answer = co_await answer_to(number);
  }
  if (!late && timer_.cancel() == 0) {
    // The limit passed in this very moment: let its handler run while `late` still exists.
    co_await asio::post(base::use_awaitable);
  }
  if (late) co_return fail(ErrorCode::Deadline, method + " was not answered in time");
  co_return answer;
}

awaitable<Result<Json>> McpClient::answer_to(std::string id) {
  while (true) {
    auto text = co_await connection_.read();
    if (!text)
      co_return fail(ErrorCode::Unavailable, "the server is gone: " + text.error().message);
    if (!*text) co_return fail(ErrorCode::Unavailable, "the server has closed the connection");
    for (auto& message : rpc::decode(**text).messages) {
      if (auto* request = std::get_if<rpc::Request>(&message)) {
        // The only thing a server may ask of a client that declared nothing is a ping.
        std::string pong = rpc::encode_result(request->id, "{}");
        auto sent = co_await connection_.write(std::move(pong));
        if (!sent)
          co_return fail(ErrorCode::Unavailable, "the server is gone: " + sent.error().message);
      }
      auto* response = std::get_if<rpc::Response>(&message);
      if (response == nullptr || response->id.to_json() != id) continue;
      if (auto* error = std::get_if<rpc::RpcError>(&response->outcome)) {
        co_return fail(ErrorCode::Internal, error->message);
      }
      co_return std::get<Json>(std::move(response->outcome));
    }
  }
}

}  // namespace mahavishnu::app
