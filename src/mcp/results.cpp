#include "mcp/results.h"

#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

// The tools of a running server do not change, but a restart may bring others.
constexpr std::string_view kTtl = "\"ttlMs\":300000";

std::string json_string(std::string_view text) {
  std::string out;
  rpc::append_json_string(out, text);
  return out;
}

}  // namespace

Results::Results(const ServerOptions& options)
    : name_(json_string(options.name)),
      title_(json_string(options.title)),
      version_(json_string(options.version)),
      instructions_(options.instructions.empty() ? "" : json_string(options.instructions)) {
  modern_head_ = "{\"resultType\":\"complete\",\"_meta\":{\"" + std::string(meta_key::kServerInfo) +
                 "\":" + server_info(kModern) + "},";
}

std::string Results::server_info(Revision revision) const {
  std::string out = "{\"name\":" + name_;
  if (has_structure(revision)) out += ",\"title\":" + title_;
  return out + ",\"version\":" + version_ + "}";
}

std::string Results::open(Revision revision) const {
  return is_modern(revision) ? modern_head_ : std::string("{");
}

std::string Results::initialize(Revision revision) const {
  std::string out = "{\"protocolVersion\":\"" + std::string(to_string(revision)) +
                    "\",\"capabilities\":{\"tools\":{}},\"serverInfo\":" + server_info(revision);
  if (!instructions_.empty()) out += ",\"instructions\":" + instructions_;
  return out + "}";
}

std::string Results::discover() const {
  std::string out = modern_head_;
  out += "\"supportedVersions\":[\"" + std::string(to_string(kModern)) +
         "\"],\"capabilities\":{\"tools\":{}},";
  if (!instructions_.empty()) out += "\"instructions\":" + instructions_ + ",";
  return out.append(kTtl) + ",\"cacheScope\":\"public\"}";
}

std::string Results::empty(Revision revision) const {
  std::string out = open(revision);
  if (out.back() == ',') out.pop_back();
  return out + "}";
}

std::string Results::tools(Revision revision, std::string_view array) const {
  std::string out = open(revision);
  out += "\"tools\":";
  out += array;
  // Private: what is listed depends on the connection's or the token's view.
  if (is_modern(revision)) out.append(",").append(kTtl).append(",\"cacheScope\":\"private\"");
  return out + "}";
}

void Results::open_tool_result(std::string& out, Revision revision) const {
  out += is_modern(revision) ? std::string_view(modern_head_) : std::string_view("{");
}

std::string Results::tool_error(Revision revision, std::string_view text) const {
  std::string out = open(revision);
  out += "\"content\":[{\"type\":\"text\",\"text\":";
  rpc::append_json_string(out, text);
  return out + "}],\"isError\":true}";
}

}  // namespace mahavishnu::mcp
