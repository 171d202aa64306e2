// `mahavishnu call TOOL '{json}'`: one tool call, its structured result on stdout.
#include <iostream>

#include "app/client_session.h"
#include "app/data_directory.h"
#include "app/http_tools.h"
#include "app/secrets.h"
#include "app/verbs.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

struct ToolCall {
  std::string tool;
  Json arguments;
  bool watch = false;
};

Result<ToolCall> call_of(const Arguments& arguments) {
  const auto& words = arguments.words();
  if (words.empty())
    return fail(ErrorCode::InvalidArgument, "say which tool: mahavishnu call repo_list");
  ToolCall call{words.front(), Json::object(), arguments.has("watch")};
  if (words.size() > 1) {
    try {
      call.arguments = Json::parse(words[1]);
    } catch (const Json::parse_error& broken) {
      return fail(ErrorCode::InvalidArgument,
                  std::string("the arguments are not JSON: ") + broken.what());
    }
  }
  return call;
}

awaitable<int> watch_task(ToolDoor& tools, std::string task, const Interrupt& interrupt) {
  const auto ended = co_await follow_task(tools, std::move(task), std::cout, interrupt);
  if (!ended) co_return failed(ended.error());
  const std::string state = ended->value("state", "");
  std::cout << "\n" << ended->value("task", "") << " " << state;
  const std::string reason = ended->value("reason", "");
  std::cout << (reason.empty() || reason == "ok" ? "" : ": " + reason) << std::endl;
  co_return state == "completed" ? 0 : 1;
}

awaitable<int> make_call(ToolDoor& tools, ToolCall call, const Interrupt& interrupt) {
  auto answer = co_await tools.call(call.tool, call.arguments);
  if (!answer) co_return failed(answer.error());
  if (call.watch && answer->contains("workflow")) {
    co_return co_await watch_workflow(tools, answer->value("workflow", ""), interrupt);
  }
  if (call.watch && answer->contains("task")) {
    co_return co_await watch_task(tools, answer->value("task", ""), interrupt);
  }
  std::cout << answer->dump(2, ' ', false, Json::error_handler_t::replace) << std::endl;
  co_return 0;
}

}  // namespace

int call_verb(const Arguments& arguments) {
  auto call = call_of(arguments);
  if (!call) {
    failed(call.error());
    return 2;
  }
  const auto setup = load_setup(arguments);
  if (!setup) return failed(setup.error());
  const auto work = [&call](ToolDoor& tools, const Interrupt& interrupt) {
    return make_call(tools, *call, interrupt);
  };
  const Environment& environment = setup->config.environment();
  const std::string url =
      arguments.has("url") ? arguments.value("url") : lookup(environment, "MAHAVISHNU_URL");
  if (url.empty()) return with_server(*setup, work);
  std::string token =
      arguments.has("token") ? arguments.value("token") : lookup(environment, "MAHAVISHNU_TOKEN");
  if (token.empty()) {
    // The usual case: a server of this user on this machine.
    if (auto known = read_token(setup->data + "/token")) token = *known;
  }
  auto door = http_tools(url, token);
  if (!door) {
    failed(door.error());
    return 2;
  }
  return with_tools(**door, work);
}

}  // namespace mahavishnu::app
