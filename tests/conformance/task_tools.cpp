// Tools whose calls go on as tasks.
#include "fixture.h"
#include "jobs.h"
#include "mcp/error_map.h"

namespace mahavishnu::conformance {
namespace {

using Answer = base::awaitable<base::Result<mcp::ToolContent>>;
using mcp::Ask;
using mcp::Question;
using mcp::TaskEnd;
using mcp::TaskSupport;
using mcp::TaskWish;

constexpr base::Millis kMoment{300};

// The text of a member of a form that was filled in.
std::string field(const mcp::Answers& answers, const char* key, const char* name) {
  const auto found = answers.find(key);
  if (found == answers.end()) return {};
  const Json value = found->second.value("content", Json::object()).value(name, Json(""));
  return value.is_string() ? value.get<std::string>() : value.dump();
}

Answer greet(Json arguments, Call&) {
  co_return shown("Hello, " + arguments["name"].get<std::string>() + "!");
}

Answer slow_compute(asio::any_io_executor executor, Jobs* jobs, Json arguments, Call* call) {
  const base::Millis takes(static_cast<long>(arguments.value("seconds", 0.0) * 1000));
  const std::string said = "Computed " + arguments.value("label", std::string("nothing")) + ".";
  if (call->task_wish() != TaskWish::No) {
    co_return base::fail(call->hand_over(jobs->begin(
        call->caller(), takes, [said](const mcp::Answers&) { return TaskEnd(shown(said)); })));
  }
  asio::steady_timer clock(executor);
  clock.expires_after(takes);
  co_await clock.async_wait(base::as_result);
  co_return shown(said);
}

Answer end_as(Jobs* jobs, TaskEnd end, Call* call) {
  co_return base::fail(call->hand_over(
      jobs->begin(call->caller(), kMoment, [end](const mcp::Answers&) { return end; })));
}

Answer confirm_delete(Jobs* jobs, Json arguments, Call* call) {
  const std::string file = arguments["filename"].get<std::string>();
  std::vector<Question> questions;
  questions.push_back(
      {"confirm", Ask::Elicitation, form("Delete " + file + "?", "confirm", "boolean")});
  const auto finish = [file](const mcp::Answers& answers) {
    const bool yes = field(answers, "confirm", "confirm") == "true";
    return TaskEnd(shown(yes ? "Deleted " + file + "." : "Kept " + file + "."));
  };
  co_return base::fail(call->hand_over(jobs->begin(call->caller(), std::move(questions), finish)));
}

Answer multi_input(Jobs* jobs, Call* call) {
  std::vector<Question> questions;
  questions.push_back({"first", Ask::Elicitation, form("First value?", "value", "string")});
  questions.push_back({"second", Ask::Elicitation, form("Second value?", "value", "string")});
  const auto finish = [](const mcp::Answers& answers) {
    return TaskEnd(
        shown(field(answers, "first", "value") + " and " + field(answers, "second", "value")));
  };
  co_return base::fail(call->hand_over(jobs->begin(call->caller(), std::move(questions), finish)));
}

// Asks before there is a task, over the rounds of the call itself.
Answer ask_then_work(Jobs* jobs, Call* call) {
  std::vector<Question> questions;
  questions.push_back(
      {"user_name", Ask::Elicitation, form("What is your name?", "name", "string")});
  const auto answers = co_await call->ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  const std::string said = "Hello, " + field(*answers, "user_name", "name") + "!";
  if (call->task_wish() == TaskWish::No) co_return shown(said);
  co_return base::fail(call->hand_over(jobs->begin(
      call->caller(), kMoment, [said](const mcp::Answers&) { return TaskEnd(shown(said)); })));
}

}  // namespace

std::vector<mcp::Tool> task_tools(asio::any_io_executor executor, Jobs& jobs) {
  std::vector<mcp::Tool> tools;
  const auto add = [&tools](const char* name, const char* what, const char* schema,
                            TaskSupport support, mcp::ContentHandler handler) {
    tools.push_back(tool(name, what, schema, std::move(handler)));
    tools.back().tasks = support;
  };
  add("greet", "Greets at once",
      R"({"type":"object","properties":{"name":{"type":"string"}},"required":["name"]})",
      TaskSupport::None, greet);
  add("slow_compute", "Takes as long as it is told",
      R"({"type":"object","properties":{"seconds":{"type":"number","minimum":0,"maximum":3600},
          "label":{"type":"string"}}})",
      TaskSupport::Optional, [executor, held = &jobs](Json arguments, Call& call) {
        return slow_compute(executor, held, std::move(arguments), &call);
      });
  const TaskEnd failed = mcp::ToolContent{{mcp::text_content("The job failed.")}, nullptr, true};
  add("failing_job", "Ends with a failure of the tool", kNoArguments, TaskSupport::Required,
      [held = &jobs, failed](Json, Call& call) { return end_as(held, failed, &call); });
  const TaskEnd broken = mcp::rpc_error(mcp::error_code::kInternalError, "The job broke.");
  add("protocol_error_job", "Ends with an error of the protocol", kNoArguments,
      TaskSupport::Required,
      [held = &jobs, broken](Json, Call& call) { return end_as(held, broken, &call); });
  add("confirm_delete", "Asks before it ends",
      R"({"type":"object","properties":{"filename":{"type":"string"}},"required":["filename"]})",
      TaskSupport::Required, [held = &jobs](Json arguments, Call& call) {
        return confirm_delete(held, std::move(arguments), &call);
      });
  add("multi_input", "Asks two things at once", kNoArguments, TaskSupport::Required,
      [held = &jobs](Json, Call& call) { return multi_input(held, &call); });
  add("test_tool_with_task", "Asks, and then goes on as a task", kNoArguments,
      TaskSupport::Optional,
      [held = &jobs](Json, Call& call) { return ask_then_work(held, &call); });
  tools.back().asks = true;
  return tools;
}

}  // namespace mahavishnu::conformance
