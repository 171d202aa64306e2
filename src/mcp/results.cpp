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

Results::Results(const ServerOptions& options, const Capabilities& capabilities)
    : capabilities_(capabilities),
      name_(json_string(options.name)),
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
                    "\",\"capabilities\":" + capabilities(revision) +
                    ",\"serverInfo\":" + server_info(revision);
  if (!instructions_.empty()) out += ",\"instructions\":" + instructions_;
  return out + "}";
}

std::string Results::discover() const {
  std::string out = modern_head_;
  out += "\"supportedVersions\":[\"" + std::string(to_string(kModern)) +
         "\"],\"capabilities\":" + capabilities(kModern) + ",";
  if (!instructions_.empty()) out += "\"instructions\":" + instructions_ + ",";
  return out.append(kTtl) + ",\"cacheScope\":\"public\"}";
}

std::string Results::empty(Revision revision) const {
  std::string out = open(revision);
  if (out.back() == ',') out.pop_back();
  return out + "}";
}

std::string Results::capabilities(Revision revision) const {
  const Capabilities& c = capabilities_;
  rpc::Json out = rpc::Json::object();
  const auto declare = [&out](const char* name, bool there) {
    if (there) out[name] = rpc::Json::object();
  };
  declare("tools", c.tools);
  declare("prompts", c.prompts);
  declare("resources", c.resources);
  declare("completions", c.completions && revision >= Revision::k2025_03_26);
  declare("logging", c.logs);
  if (c.tools_change) out["tools"]["listChanged"] = true;
  if (c.prompts_change) out["prompts"]["listChanged"] = true;
  if (c.resources_change) out["resources"]["listChanged"] = true;
  if (c.resources_update) out["resources"]["subscribe"] = true;
  if (c.tasks && is_modern(revision)) out["extensions"][kTasksExtension] = rpc::Json::object();
  if (c.tasks && has_tried_tasks(revision)) {
    out["tasks"] = {{"list", rpc::Json::object()},
                    {"cancel", rpc::Json::object()},
                    {"requests", {{"tools", {{"call", rpc::Json::object()}}}}}};
  }
  return rpc::dump(out);
}

std::string Results::list(Revision revision, std::string_view member, std::string_view array,
                          std::string_view next) const {
  std::string out = open(revision);
  out.append("\"").append(member).append("\":").append(array);
  if (!next.empty()) out.append(",\"nextCursor\":").append(json_string(next));
  // Private: what is listed depends on the connection's or the token's view.
  if (is_modern(revision)) out.append(",").append(kTtl).append(",\"cacheScope\":\"private\"");
  return out + "}";
}

std::string Results::of(Revision revision, std::string_view members, ResultKind kind) const {
  std::string out = kind == ResultKind::Complete        ? open(revision)
                    : kind == ResultKind::InputRequired ? R"({"resultType":"input_required",)"
                                                        : R"({"resultType":"task",)";
  out += members;
  if (out.back() == ',') out.pop_back();
  return out + "}";
}

std::string Results::subscription_end(std::string_view id) const {
  return "{\"resultType\":\"complete\",\"_meta\":{\"" + std::string(meta_key::kSubscriptionId) +
         "\":" + std::string(id) + "}}";
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
