#include "workers/mcp_executor.h"

#include <nlohmann/json.hpp>

namespace mahavishnu::workers {
namespace {

using Json = nlohmann::json;

}  // namespace

std::string call_text(const domain::PoolSettings& settings, const domain::Work& work) {
  Json call{{"tool", work.tool}};
  if (!settings.url.empty()) call["url"] = settings.url;
  if (!settings.command.empty()) call["command"] = settings.command;
  if (!settings.token_file.empty()) call["token_file"] = settings.token_file;
  if (!settings.headers.empty()) call["headers"] = settings.headers;
  if (!settings.ca_file.empty()) call["ca_file"] = settings.ca_file;
  std::string text = call.dump(-1, ' ', false, Json::error_handler_t::replace);
  // Taken as they are: a number in them comes out as it went in.
  text.back() = ',';
  return text + "\"arguments\":" + (work.arguments.empty() ? "{}" : work.arguments) + "}";
}

void McpExecutor::start(domain::AttemptOrder order) {
  order.work.stdin_text = call_text(order.settings, order.work);
  order.work.argv = {executable_, "__mcp"};
  order.work.tool.clear();
  order.work.arguments.clear();
  order.settings = {};
  order.calls_tool = true;
  shell_.start(std::move(order));
}

}  // namespace mahavishnu::workers
