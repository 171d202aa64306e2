#include "tool_server.h"

namespace mahavishnu::mcp_test {
namespace {

using mcp::Call;
using Content = base::awaitable<base::Result<mcp::ToolContent>>;
using Read = base::awaitable<base::Result<std::vector<mcp::ResourceContents>>>;
using Got = base::awaitable<base::Result<std::vector<mcp::PromptMessage>>>;

mcp::Question question(const std::string& key, bool roots) {
  const Json form{{"message", key}, {"requestedSchema", {{"type", "object"}}}};
  return {key, roots ? mcp::Ask::Roots : mcp::Ask::Elicitation, roots ? Json::object() : form};
}

Content ask(Json arguments, Call& call) {
  mcp::ToolContent out;
  for (const Json& key : arguments["keys"]) {
    std::vector<mcp::Question> questions;
    questions.push_back(question(key.get<std::string>(), arguments.value("roots", false)));
    const auto answers = co_await call.ask(std::move(questions));
    if (!answers) co_return base::fail(answers.error());
    out.content.push_back(mcp::text_content(answers->at(key.get<std::string>()).dump()));
  }
  co_return out;
}

Content show(Json arguments, Call& call) {
  for (const Json& name : arguments.value("log", Json::array())) {
    mcp::LogLevel level{};
    mcp::parse_log_level(name.get<std::string>(), level);
    call.log(level, "show", {{"named", name}});
  }
  mcp::ToolContent out;
  out.content.push_back(mcp::text_content("shown"));
  out.content.push_back(mcp::Content{mcp::Image{"png", "image/png"}, {}});
  out.structured = {{"shown", 2}};
  co_return out;
}

mcp::Tool tool(std::string name, mcp::ContentHandler handler) {
  mcp::Tool out;
  out.name = std::move(name);
  out.description = "Has to do with content";
  out.input_schema = R"({"type":"object"})";
  out.content_handler = std::move(handler);
  return out;
}

Read read(std::string uri, std::string body, bool binary) {
  std::vector<mcp::ResourceContents> contents;
  contents.push_back(
      {std::move(uri), binary ? "image/png" : "text/plain", std::move(body), binary});
  co_return contents;
}

Read read_at_gate(Gate* gate, std::string uri) {
  const bool is_through = co_await wait_at(gate);
  if (!is_through) co_return base::fail(base::ErrorCode::Cancelled, "cancelled");
  auto contents = co_await read(std::move(uri), "late", false);
  co_return contents;
}

Read read_numbered(std::string uri, mcp::UriVariables values, Call&) {
  if (values["id"] == "empty") co_return std::vector<mcp::ResourceContents>();
  if (values["id"] == "broken") co_return base::fail(base::ErrorCode::Internal, "broken");
  if (values["id"] < "1" || values["id"] > "3") {
    co_return base::fail(base::ErrorCode::NotFound, "there is no item " + values["id"]);
  }
  auto contents = co_await read(std::move(uri), "item " + values["id"], false);
  co_return contents;
}

Got greet(mcp::Arguments arguments, Call&) {
  std::vector<mcp::PromptMessage> messages;
  messages.push_back({mcp::Role::User, mcp::text_content("Greet " + arguments["whom"])});
  messages.push_back({mcp::Role::Assistant, mcp::text_content("Hello")});
  co_return messages;
}

Got interview(mcp::Arguments, Call& call) {
  std::vector<mcp::Question> questions;
  questions.push_back(question("topic", false));
  const auto answers = co_await call.ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  std::vector<mcp::PromptMessage> messages;
  messages.push_back({mcp::Role::User, mcp::text_content(answers->at("topic").dump())});
  co_return messages;
}

// 150 names that begin with what was begun, and "settled" alone when another argument is.
base::awaitable<base::Result<mcp::Completions>> complete(std::string, std::string begun,
                                                         mcp::Arguments settled, Call&) {
  mcp::Completions found;
  for (int i = 0; i < 150; ++i) found.values.push_back(begun + std::to_string(i));
  if (settled.contains("style")) found.values = {"settled"};
  co_return found;
}

mcp::Resource resource(std::string uri, mcp::ResourceReader read) {
  mcp::Resource out;
  out.name = "resource " + uri;
  out.title = "Title of " + uri;
  out.uri = std::move(uri);
  out.mime_type = "text/plain";
  out.size = 5;
  out.read = std::move(read);
  return out;
}

}  // namespace

std::vector<mcp::Tool> feature_tools() {
  std::vector<mcp::Tool> tools;
  tools.push_back(tool("ask", ask));
  tools.back().asks = true;
  tools.push_back(tool("show", show));
  return tools;
}

mcp::Offer test_offer(Gate& gate) {
  mcp::Offer out;
  out.resources.push_back(resource("test://text", [](std::string uri, mcp::UriVariables, Call&) {
    return read(std::move(uri), "plain", false);
  }));
  out.resources.push_back(resource("test://bytes", [](std::string uri, mcp::UriVariables, Call&) {
    return read(std::move(uri), "\xFF\x01", true);
  }));
  out.resources.push_back(
      resource("test://late", [&gate](std::string uri, mcp::UriVariables, Call&) {
        return read_at_gate(&gate, std::move(uri));
      }));
  mcp::ResourceTemplate numbered;
  numbered.uri_template = "test://item/{id}";
  numbered.name = "item";
  numbered.fresh = base::Millis(5000);
  numbered.read = read_numbered;
  numbered.complete = complete;
  out.templates.push_back(std::move(numbered));
  mcp::Prompt greeting;
  greeting.name = "greet";
  greeting.title = "Greet";
  greeting.description = "Says hello";
  greeting.arguments = {{"whom", "Whom", "Who is greeted", true}, {"style", "", "", false}};
  greeting.get = greet;
  greeting.complete = complete;
  out.prompts.push_back(std::move(greeting));
  mcp::Prompt asking;
  asking.name = "interview";
  asking.get = interview;
  asking.asks = true;
  out.prompts.push_back(std::move(asking));
  out.logs = true;
  out.tools_change = out.prompts_change = out.resources_change = out.resources_update = true;
  return out;
}

}  // namespace mahavishnu::mcp_test
