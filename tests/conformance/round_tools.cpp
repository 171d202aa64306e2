// Tools that need several rounds in 2026-07-28: each asks for what it has not been told yet.
#include "fixture.h"

namespace mahavishnu::conformance {
namespace {

using Answer = base::awaitable<base::Result<mcp::ToolContent>>;
using mcp::Ask;
using mcp::Question;

Question ask_name() {
  return {"user_name", Ask::Elicitation, form("What is your name?", "name", "string")};
}
Question ask_confirmation() {
  return {"confirm", Ask::Elicitation, form("Do you confirm?", "ok", "boolean")};
}
Question ask_roots() { return {"client_roots", Ask::Roots, Json::object()}; }

std::string field(const Json& answer, const char* name) {
  const Json value = answer.value("content", Json::object()).value(name, Json(""));
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// The one answer to a question, for tools that ask nothing else.
base::awaitable<base::Result<Json>> ask(Call& call, Question question) {
  const std::string key = question.key;
  std::vector<Question> questions;
  questions.push_back(std::move(question));
  auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  co_return answers->at(key);
}

Answer elicitation(Json, Call& call) {
  const auto answer = co_await ask(call, ask_name());
  if (!answer) co_return base::fail(answer.error());
  co_return shown("Hello, " + field(*answer, "name") + "!");
}

Answer by_sampling(Json, Call& call) {
  Question question{"capital_question", Ask::Sampling,
                    sampling("What is the capital of France?", 100)};
  const auto answer = co_await ask(call, std::move(question));
  if (!answer) co_return base::fail(answer.error());
  co_return shown("The model says: " + text_of(answer->at("content")));
}

Answer by_roots(Json, Call& call) {
  const auto answer = co_await ask(call, ask_roots());
  if (!answer) co_return base::fail(answer.error());
  co_return shown("The client has " + std::to_string(answer->at("roots").size()) + " roots.");
}

Answer state(Json, Call& call) {
  const auto answer = co_await ask(call, ask_confirmation());
  if (!answer) co_return base::fail(answer.error());
  co_return shown("state-ok: confirmed " + field(*answer, "ok"));
}

Answer several(Json, Call& call) {
  std::vector<Question> questions;
  questions.push_back(ask_name());
  questions.push_back({"greeting", Ask::Sampling, sampling("Generate a greeting", 50)});
  questions.push_back(ask_roots());
  const auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  co_return shown(text_of(answers->at("greeting").at("content")) + " " +
                  field(answers->at("user_name"), "name") + ", of " +
                  std::to_string(answers->at("client_roots").at("roots").size()) + " roots");
}

Answer two_rounds(Json, Call& call) {
  Question first{"step1", Ask::Elicitation, form("Step 1: what is your name?", "name", "string")};
  const auto name = co_await ask(call, std::move(first));
  if (!name) co_return base::fail(name.error());
  Question second{"step2", Ask::Elicitation,
                  form("Step 2: what is your favourite colour?", "color", "string")};
  const auto color = co_await ask(call, std::move(second));
  if (!color) co_return base::fail(color.error());
  co_return shown(field(*name, "name") + " likes " + field(*color, "color") + ".");
}

// Asks only what this client can answer.
Answer capabilities(Json, Call& call) {
  std::vector<Question> questions;
  if (call.can_ask(Ask::Elicitation)) questions.push_back(ask_name());
  if (call.can_ask(Ask::Sampling)) {
    questions.push_back(
        {"capital_question", Ask::Sampling, sampling("What is the capital of France?", 100)});
  }
  const std::size_t asked = questions.size();
  const auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  co_return shown(std::to_string(asked) + " questions were answered.");
}

}  // namespace

std::vector<mcp::Tool> round_tools() {
  const std::string prefix = "test_input_required_result_";
  std::vector<mcp::Tool> tools;
  const auto add = [&](const char* name, const char* what, mcp::ContentHandler handler) {
    tools.push_back(tool(prefix + name, what, kNoArguments, std::move(handler)));
    tools.back().asks = true;
  };
  add("elicitation", "Asks for a name", elicitation);
  add("sampling", "Asks the client's model", by_sampling);
  add("list_roots", "Asks for the client's directories", by_roots);
  add("request_state", "Asks, and carries a state", state);
  add("multiple_inputs", "Asks three things at once", several);
  add("multi_round", "Asks one thing after the other", two_rounds);
  add("tampered_state", "Refuses a state that was changed", state);
  add("capabilities", "Asks what the client can answer", capabilities);
  return tools;
}

}  // namespace mahavishnu::conformance
