#include "base/base64.h"
#include "fixture.h"

namespace mahavishnu::conformance {
namespace {

using Answer = base::awaitable<base::Result<mcp::ToolContent>>;

constexpr std::string_view kPng =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg"
    "==";
constexpr std::string_view kWav = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=";

constexpr const char* kFullSchema = R"({"$schema":"https://json-schema.org/draft/2020-12/schema",
  "type":"object",
  "$defs":{"address":{"$anchor":"addressDef","type":"object",
    "properties":{"street":{"type":"string"},"city":{"type":"string"}}}},
  "properties":{"name":{"type":"string"},"address":{"$ref":"#/$defs/address"},
    "contactMethod":{"type":"string","enum":["phone","email"]},
    "phone":{"type":"string"},"email":{"type":"string"}},
  "allOf":[{"anyOf":[{"required":["phone"]},{"required":["email"]}]}],
  "if":{"properties":{"contactMethod":{"const":"phone"}},"required":["contactMethod"]},
  "then":{"required":["phone"]},
  "else":{"required":["email"]},
  "additionalProperties":false})";

constexpr const char* kHeaderSchema = R"({"type":"object","properties":{
  "region":{"type":"string","description":"Where to run","x-mcp-header":"Region"},
  "level":{"type":"integer"}}})";

mcp::ToolContent one(mcp::Content content) { return {{std::move(content)}, nullptr, false}; }

mcp::Content resource(std::string uri, std::string mime_type, std::string text) {
  mcp::ResourceContents contents{std::move(uri), std::move(mime_type), std::move(text), false};
  return mcp::Content{mcp::EmbeddedResource{std::move(contents)}, {}};
}

Answer simple_text(Json, Call&) { co_return shown("This is a simple text response for testing."); }

Answer image(Json, Call&) { co_return one(mcp::Content{mcp::Image{png(), "image/png"}, {}}); }

Answer audio(Json, Call&) { co_return one(mcp::Content{mcp::Audio{wav(), "audio/wav"}, {}}); }

Answer embedded(Json, Call&) {
  co_return one(
      resource("test://embedded-resource", "text/plain", "This is an embedded resource content."));
}

Answer mixed(Json, Call&) {
  mcp::ToolContent answer;
  answer.content.push_back(mcp::text_content("Multiple content types test:"));
  answer.content.push_back(mcp::Content{mcp::Image{png(), "image/png"}, {}});
  answer.content.push_back(resource("test://mixed-content-resource", "application/json",
                                    R"({"test":"data","value":123})"));
  co_return answer;
}

Answer failing(Json, Call&) {
  mcp::ToolContent answer = shown("This tool intentionally returns an error for testing");
  answer.is_error = true;
  co_return answer;
}

Answer answered(Json arguments, Call&) { co_return shown("Arguments: " + arguments.dump()); }

}  // namespace

std::string png() { return base::decode_base64(kPng).value(); }

std::string wav() { return base::decode_base64(kWav).value(); }

std::vector<mcp::Tool> content_tools() {
  std::vector<mcp::Tool> tools;
  // The first of the list: the suite calls it without arguments and without Mcp-Param headers.
  tools.push_back(tool("test_simple_text", "Answers one text", kNoArguments, simple_text));
  tools.push_back(tool("test_image_content", "Answers an image", kNoArguments, image));
  tools.push_back(tool("test_audio_content", "Answers a sound", kNoArguments, audio));
  tools.push_back(
      tool("test_embedded_resource", "Answers a resource within", kNoArguments, embedded));
  tools.push_back(tool("test_multiple_content_types", "Answers text, an image and a resource",
                       kNoArguments, mixed));
  tools.push_back(tool("test_error_handling", "Fails", kNoArguments, failing));
  tools.push_back(tool("json_schema_2020_12_tool", "Has a schema with all of 2020-12's means",
                       kFullSchema, answered));
  tools.push_back(
      tool("test_x_mcp_header", "Has a parameter that is a header too", kHeaderSchema, answered));
  return tools;
}

}  // namespace mahavishnu::conformance
