#include "app/mcp_client.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using outbound::Verdict;
using rpc::Json;

// What a tool said: its structured result, or its own words as the error.
Result<Json> outcome_of(const Json& result) {
  if (result.value("isError", false)) {
    const std::string text = outbound::text_of(result);
    return fail(ErrorCode::Internal, text.empty() ? "the tool failed without a word" : text);
  }
  const auto structured = result.find("structuredContent");
  if (structured == result.end())
    return fail(ErrorCode::Internal, "the answer has no structured result");
  return *structured;
}

}  // namespace

awaitable<Result<Json>> McpClient::initialize() {
  const Verdict verdict = co_await stream_.shake_hands();
  if (verdict.kind != Verdict::Kind::Accepted) co_return fail(verdict.code, verdict.error);
  co_return stream_.server_info();
}

awaitable<Result<Json>> McpClient::call(std::string tool, Json arguments) {
  Json params = {{"name", std::move(tool)}, {"arguments", std::move(arguments)}};
  const Verdict verdict =
      co_await stream_.request("tools/call", std::move(params), Json(), outbound::McpPeer::Heard());
  if (verdict.kind != Verdict::Kind::Accepted) co_return fail(verdict.code, verdict.error);
  co_return outcome_of(verdict.result);
}

}  // namespace mahavishnu::app
