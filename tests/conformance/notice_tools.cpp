#include "fixture.h"

namespace mahavishnu::conformance {
namespace {

using Answer = base::awaitable<base::Result<mcp::ToolContent>>;

constexpr base::Millis kBetween{50};

base::awaitable<void> pause() {
  asio::steady_timer timer(co_await asio::this_coro::executor, kBetween);
  co_await timer.async_wait(base::as_result);
}

Answer progress(Json, Call& call) {
  for (const double done : {0.0, 50.0, 100.0}) {
    call.progress(done, 100,
                  "Completed step " + std::to_string(static_cast<int>(done)) + " of 100");
    co_await pause();
  }
  co_return shown("Progress reported.");
}

Answer messages(Json, Call& call) {
  call.log(mcp::LogLevel::Info, "conformance", "Tool execution started");
  co_await pause();
  call.log(mcp::LogLevel::Info, "conformance", "Tool processing data");
  co_await pause();
  call.log(mcp::LogLevel::Info, "conformance", "Tool execution completed");
  co_return shown("Tool with logging executed successfully");
}

// Longer than this server holds a connection: its client comes back for the answer.
Answer reconnect(Json, Call&) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 2 * kStreamHold);
  co_await timer.async_wait(base::as_result);
  co_return shown(
      "Reconnection test completed successfully. If you received this, the client properly "
      "reconnected after stream closure.");
}

Answer change(std::function<void(mcp::Change)> changed, mcp::Change what) {
  changed(what);
  co_return shown("Change told.");
}

}  // namespace

std::vector<mcp::Tool> notice_tools(const Triggers& triggers) {
  const auto trigger = [changed = triggers.changed](mcp::Change what) -> mcp::ContentHandler {
    return [changed, what](Json, Call&) { return change(changed, what); };
  };
  std::vector<mcp::Tool> tools;
  tools.push_back(tool("test_tool_with_progress", "Tells its progress", kNoArguments, progress));
  tools.push_back(tool("test_tool_with_logging", "Logs while it runs", kNoArguments, messages));
  tools.push_back(
      tool("test_logging_tool", "Logs where the request asks for it", kNoArguments, messages));
  tools.push_back(tool("test_reconnection", "Lets the connection go and answers on the next",
                       kNoArguments, reconnect));
  tools.push_back(tool("test_trigger_tool_change", "Tells that the tools changed", kNoArguments,
                       trigger(mcp::Change::Tools)));
  tools.push_back(tool("test_trigger_prompt_change", "Tells that the prompts changed", kNoArguments,
                       trigger(mcp::Change::Prompts)));
  return tools;
}

}  // namespace mahavishnu::conformance
