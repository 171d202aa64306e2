#include "mcp/content.h"

#include "base/base64.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

Json text_block(std::string text) { return {{"type", "text"}, {"text", std::move(text)}}; }

Json media_block(const char* type, const std::string& bytes, const std::string& mime_type) {
  return {{"type", type}, {"data", base::encode_base64(bytes)}, {"mimeType", mime_type}};
}

struct Block {
  Revision revision;

  Json operator()(const Text& text) const { return text_block(text.text); }
  Json operator()(const Image& image) const {
    return media_block("image", image.bytes, image.mime_type);
  }
  Json operator()(const Audio& audio) const {
    if (revision >= Revision::k2025_03_26) {
      return media_block("audio", audio.bytes, audio.mime_type);
    }
    return text_block("(audio, " + audio.mime_type + ", " + std::to_string(audio.bytes.size()) +
                      " bytes: this revision of the protocol cannot carry it)");
  }
  Json operator()(const EmbeddedResource& resource) const {
    return {{"type", "resource"}, {"resource", to_json(resource.contents)}};
  }
  Json operator()(const ResourceLink& link) const {
    if (!has_structure(revision)) return text_block("resource " + link.name + ": " + link.uri);
    Json block{{"type", "resource_link"}, {"uri", link.uri}, {"name", link.name}};
    add_text(block, "title", link.title);
    add_text(block, "description", link.description);
    add_text(block, "mimeType", link.mime_type);
    if (link.size) block["size"] = *link.size;
    return block;
  }
};

}  // namespace

void add_text(Json& object, const char* name, const std::string& text) {
  if (!text.empty()) object[name] = text;
}

void add_annotations(Json& object, const Annotations& annotations, Revision revision) {
  Json out = Json::object();
  if (!annotations.audience.empty()) out["audience"] = annotations.audience;
  if (annotations.priority) out["priority"] = *annotations.priority;
  if (has_structure(revision)) add_text(out, "lastModified", annotations.last_modified);
  if (!out.empty()) object["annotations"] = std::move(out);
}

Json to_json(const ResourceContents& contents) {
  Json out{{"uri", contents.uri}};
  add_text(out, "mimeType", contents.mime_type);
  if (contents.binary) {
    out["blob"] = base::encode_base64(contents.body);
  } else {
    out["text"] = contents.body;
  }
  return out;
}

Json to_json(const Content& content, Revision revision) {
  Json block = std::visit(Block{revision}, content.block);
  add_annotations(block, content.annotations, revision);
  return block;
}

Json to_json(const std::vector<Content>& content, Revision revision) {
  Json out = Json::array();
  for (const Content& item : content) out.push_back(to_json(item, revision));
  return out;
}

}  // namespace mahavishnu::mcp
