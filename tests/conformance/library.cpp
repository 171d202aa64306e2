// The resources and prompts of the conformance server.
#include "fixture.h"

namespace mahavishnu::conformance {
namespace {

using Read = base::awaitable<base::Result<std::vector<mcp::ResourceContents>>>;
using Got = base::awaitable<base::Result<std::vector<mcp::PromptMessage>>>;

Read read_text(std::string uri, mcp::UriVariables, Call&) {
  std::vector<mcp::ResourceContents> contents;
  contents.push_back(
      {std::move(uri), "text/plain", "This is the content of the static text resource.", false});
  co_return contents;
}

Read read_binary(std::string uri, mcp::UriVariables, Call&) {
  std::vector<mcp::ResourceContents> contents;
  contents.push_back({std::move(uri), "image/png", png(), true});
  co_return contents;
}

Read read_watched(std::string uri, mcp::UriVariables, Call&) {
  std::vector<mcp::ResourceContents> contents;
  contents.push_back({std::move(uri), "text/plain", "Watched resource content", false});
  co_return contents;
}

Read read_template(std::string uri, mcp::UriVariables values, Call&) {
  const std::string id = Json(values["id"]).dump();
  std::vector<mcp::ResourceContents> contents;
  contents.push_back({std::move(uri), "application/json",
                      R"({"id":)" + id + R"(,"templateTest":true,"data":)" +
                          Json("Data for ID: " + values["id"]).dump() + "}",
                      false});
  co_return contents;
}

mcp::PromptMessage says(mcp::Content content) { return {mcp::Role::User, std::move(content)}; }

Got simple(mcp::Arguments, Call&) {
  std::vector<mcp::PromptMessage> messages;
  messages.push_back(says(mcp::text_content("This is a simple prompt for testing.")));
  co_return messages;
}

Got with_arguments(mcp::Arguments arguments, Call&) {
  std::vector<mcp::PromptMessage> messages;
  messages.push_back(says(mcp::text_content("Prompt with arguments: arg1='" + arguments["arg1"] +
                                            "', arg2='" + arguments["arg2"] + "'")));
  co_return messages;
}

Got with_resource(mcp::Arguments arguments, Call&) {
  mcp::ResourceContents contents{arguments["resourceUri"], "text/plain",
                                 "Embedded resource content for testing.", false};
  std::vector<mcp::PromptMessage> messages;
  messages.push_back(says(mcp::Content{mcp::EmbeddedResource{std::move(contents)}, {}}));
  messages.push_back(says(mcp::text_content("Please process the embedded resource above.")));
  co_return messages;
}

Got with_image(mcp::Arguments, Call&) {
  std::vector<mcp::PromptMessage> messages;
  messages.push_back(says(mcp::Content{mcp::Image{png(), "image/png"}, {}}));
  messages.push_back(says(mcp::text_content("Please analyze the image above.")));
  co_return messages;
}

Got asking(mcp::Arguments, Call& call) {
  std::vector<mcp::Question> questions;
  questions.push_back({"user_context", mcp::Ask::Elicitation,
                       form("What context should the prompt use?", "context", "string")});
  const auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  const Json content = answers->at("user_context").value("content", Json::object());
  std::vector<mcp::PromptMessage> messages;
  messages.push_back(
      says(mcp::text_content("Use this context: " + content.value("context", std::string()))));
  co_return messages;
}

base::awaitable<base::Result<mcp::Completions>> complete(std::string, std::string begun,
                                                         mcp::Arguments, Call&) {
  mcp::Completions found;
  for (const char* word : {"paris", "park", "party", "testValue1", "testValue2"}) {
    if (std::string_view(word).starts_with(begun)) found.values.emplace_back(word);
  }
  co_return found;
}

mcp::Resource resource(std::string uri, std::string name, std::string mime_type,
                       mcp::ResourceReader read) {
  mcp::Resource out;
  out.description = "The " + name + " of the conformance suite";
  out.uri = std::move(uri);
  out.name = std::move(name);
  out.mime_type = std::move(mime_type);
  out.read = std::move(read);
  return out;
}

mcp::Prompt prompt(std::string name, std::vector<mcp::PromptArgument> arguments,
                   mcp::PromptHandler get) {
  mcp::Prompt out;
  out.description = "The prompt " + name + " of the conformance suite";
  out.name = std::move(name);
  out.arguments = std::move(arguments);
  out.get = std::move(get);
  return out;
}

}  // namespace

mcp::Offer offer() {
  mcp::Offer out;
  out.resources.push_back(
      resource("test://static-text", "static text resource", "text/plain", read_text));
  out.resources.push_back(
      resource("test://static-binary", "static binary resource", "image/png", read_binary));
  out.resources.push_back(
      resource("test://watched-resource", "watched resource", "text/plain", read_watched));
  mcp::ResourceTemplate by_id;
  by_id.uri_template = "test://template/{id}/data";
  by_id.name = "template resource";
  by_id.description = "The template of the conformance suite";
  by_id.mime_type = "application/json";
  by_id.read = read_template;
  out.templates.push_back(std::move(by_id));
  out.prompts.push_back(prompt("test_simple_prompt", {}, simple));
  out.prompts.push_back(prompt(
      "test_prompt_with_arguments",
      {{"arg1", "", "First test argument", true}, {"arg2", "", "Second test argument", true}},
      with_arguments));
  out.prompts.back().complete = complete;
  out.prompts.push_back(prompt("test_prompt_with_embedded_resource",
                               {{"resourceUri", "", "URI of the resource to embed", true}},
                               with_resource));
  out.prompts.push_back(prompt("test_prompt_with_image", {}, with_image));
  out.prompts.push_back(prompt("test_input_required_result_prompt", {}, asking));
  out.prompts.back().asks = true;
  out.logs = true;
  out.tools_change = out.prompts_change = out.resources_change = out.resources_update = true;
  return out;
}

}  // namespace mahavishnu::conformance
