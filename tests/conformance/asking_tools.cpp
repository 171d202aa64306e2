#include "fixture.h"

namespace mahavishnu::conformance {
namespace {

using Answer = base::awaitable<base::Result<mcp::ToolContent>>;
using mcp::Ask;
using mcp::Question;

base::awaitable<base::Result<Json>> ask_one(Call& call, Ask what, Json params) {
  std::vector<Question> questions;
  questions.push_back({"answer", what, std::move(params)});
  auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  co_return answers->at("answer");
}

Answer sample(Json arguments, Call& call) {
  Json params = sampling(arguments["prompt"].get<std::string>(), 100);
  const auto answer = co_await ask_one(call, Ask::Sampling, std::move(params));
  if (!answer) co_return base::fail(answer.error());
  co_return shown("LLM response: " + text_of(answer->at("content")));
}

Answer missing_capability(Json, Call& call) {
  const auto answer = co_await ask_one(call, Ask::Sampling, sampling("Anything", 10));
  if (!answer) co_return base::fail(answer.error());
  co_return shown("The client can sample.");
}

std::string told(const Json& answer) {
  return "action=" + answer["action"].get<std::string>() +
         ", content=" + answer.value("content", Json::object()).dump();
}

Answer elicit(Json arguments, Call& call) {
  Json params = Json::parse(R"({"requestedSchema":{"type":"object","properties":{
      "username":{"type":"string","description":"User's response"},
      "email":{"type":"string","description":"User's email address"}},
      "required":["username","email"]}})");
  params["message"] = arguments["message"];
  const auto answer = co_await ask_one(call, Ask::Elicitation, std::move(params));
  if (!answer) co_return base::fail(answer.error());
  co_return shown("User response: " + told(*answer));
}

Answer elicit_form(std::string params, Call* call) {
  const auto answer = co_await ask_one(*call, Ask::Elicitation, Json::parse(params));
  if (!answer) co_return base::fail(answer.error());
  co_return shown("Elicitation completed: " + told(*answer));
}

constexpr const char* kDefaults = R"({"message":"Please review and update the form fields",
  "requestedSchema":{"type":"object","properties":{
    "name":{"type":"string","description":"User name","default":"John Doe"},
    "age":{"type":"integer","description":"User age","default":30},
    "score":{"type":"number","description":"User score","default":95.5},
    "status":{"type":"string","description":"User status","enum":["active","inactive","pending"],
              "default":"active"},
    "verified":{"type":"boolean","description":"Verification status","default":true}},
  "required":[]}})";

constexpr const char* kEnums = R"({"message":"Please select options from the enum fields",
  "requestedSchema":{"type":"object","properties":{
    "untitledSingle":{"type":"string","enum":["option1","option2","option3"]},
    "titledSingle":{"type":"string","oneOf":[{"const":"value1","title":"First Option"},
      {"const":"value2","title":"Second Option"},{"const":"value3","title":"Third Option"}]},
    "legacyEnum":{"type":"string","enum":["opt1","opt2","opt3"],
      "enumNames":["Option One","Option Two","Option Three"]},
    "untitledMulti":{"type":"array","items":{"type":"string",
      "enum":["option1","option2","option3"]}},
    "titledMulti":{"type":"array","items":{"anyOf":[{"const":"value1","title":"First Choice"},
      {"const":"value2","title":"Second Choice"},{"const":"value3","title":"Third Choice"}]}}},
  "required":[]}})";

Answer stream_and_elicit(Json, Call& call) {
  call.progress(1, 2, "Before the question");
  Json params = form("What is your name?", "name", "string");
  const auto answer = co_await ask_one(call, Ask::Elicitation, std::move(params));
  if (!answer) co_return base::fail(answer.error());
  co_return shown("Elicitation completed: " + told(*answer));
}

constexpr const char* kPromptArgument =
    R"({"type":"object","properties":{"prompt":{"type":"string","description":"For the model"}},
        "required":["prompt"]})";
constexpr const char* kMessageArgument =
    R"({"type":"object","properties":{"message":{"type":"string","description":"For the user"}},
        "required":["message"]})";

}  // namespace

std::vector<mcp::Tool> asking_tools() {
  std::vector<mcp::Tool> tools;
  tools.push_back(tool("test_sampling", "Asks the client's model", kPromptArgument, sample));
  tools.push_back(tool("test_missing_capability", "Needs a client that can sample", kNoArguments,
                       missing_capability));
  tools.push_back(tool("test_elicitation", "Asks the client's user", kMessageArgument, elicit));
  tools.push_back(tool("test_elicitation_sep1034_defaults", "Asks with defaults", kNoArguments,
                       [](Json, Call& call) { return elicit_form(kDefaults, &call); }));
  tools.push_back(tool("test_elicitation_sep1330_enums", "Asks with choices", kNoArguments,
                       [](Json, Call& call) { return elicit_form(kEnums, &call); }));
  tools.push_back(tool("test_streaming_elicitation", "Tells progress, then asks", kNoArguments,
                       stream_and_elicit));
  for (mcp::Tool& one : tools) one.asks = true;
  return tools;
}

}  // namespace mahavishnu::conformance
