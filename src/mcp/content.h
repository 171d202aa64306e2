// What results and prompts are made of: text, images, audio, resources and links to them.
//
// Values; what a revision cannot carry is told in text instead of being dropped. Bytes are given as
// they are and become Base64 on the wire. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "mcp/eras.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

// Hints for whoever shows it.
struct Annotations {
  std::vector<std::string> audience;  // "user", "assistant"
  std::optional<double> priority;     // 0 (least important) to 1
  std::string last_modified;          // ISO 8601; "": not told
};

// What a resource holds: text (UTF-8), or bytes where `binary`.
struct ResourceContents {
  std::string uri;
  std::string mime_type;  // "": not told
  std::string body;
  bool binary = false;
};

struct Text {
  std::string text;
};
struct Image {
  std::string bytes;
  std::string mime_type;
};
struct Audio {  // from 2025-03-26 on
  std::string bytes;
  std::string mime_type;
};
struct EmbeddedResource {
  ResourceContents contents;
};
struct ResourceLink {  // from 2025-06-18 on
  std::string uri;
  std::string name;
  std::string title;
  std::string description;
  std::string mime_type;
  std::optional<std::int64_t> size;  // bytes
};

struct Content {
  std::variant<Text, Image, Audio, EmbeddedResource, ResourceLink> block;
  Annotations annotations;
};

// What is shown of a tool's result that is more than one structured document.
struct ToolContent {
  std::vector<Content> content;
  rpc::Json structured;  // null: none; an object otherwise, which meets the output schema
  bool is_error = false;
};

inline Content text_content(std::string text) { return Content{Text{std::move(text)}, {}}; }

rpc::Json to_json(const ResourceContents& contents);
rpc::Json to_json(const Content& content, Revision revision);
rpc::Json to_json(const std::vector<Content>& content, Revision revision);

// Adds "annotations" to `object` unless there are none.
void add_annotations(rpc::Json& object, const Annotations& annotations, Revision revision);

// Adds a member unless its text is empty.
void add_text(rpc::Json& object, const char* name, const std::string& text);

}  // namespace mahavishnu::mcp
