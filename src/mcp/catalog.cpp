#include "mcp/catalog.h"

#include <algorithm>

#include "mcp/nearest.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

tl::unexpected<base::Error> unusable(const std::string& what) {
  return base::fail(base::ErrorCode::InvalidArgument, what);
}

void add_title(Json& out, const std::string& title, Revision revision) {
  if (has_structure(revision)) add_text(out, "title", title);
}

}  // namespace

base::Result<Catalog> Catalog::create(Offer offer) {
  Catalog catalog;
  catalog.offer_ = std::move(offer);
  if (auto indexed = catalog.index(); !indexed) return base::fail(indexed.error());
  return catalog;
}

base::Status Catalog::index() {
  for (const Resource& resource : offer_.resources) {
    if (!resource.read) return unusable("resource " + in_quotes(resource.uri) + " has no reader");
    if (!resources_.emplace(resource.uri, resources_.size()).second) {
      return unusable("two resources have the URI " + in_quotes(resource.uri));
    }
  }
  for (const ResourceTemplate& one : offer_.templates) {
    if (!one.read) return unusable("template " + in_quotes(one.uri_template) + " has no reader");
    auto parsed = UriTemplate::parse(one.uri_template);
    if (!parsed) return base::fail(parsed.error());
    templates_.push_back(std::move(*parsed));
    completes_ = completes_ || one.complete != nullptr;
  }
  for (const Prompt& prompt : offer_.prompts) {
    if (!prompt.get) return unusable("prompt " + in_quotes(prompt.name) + " has no handler");
    if (!prompts_.emplace(prompt.name, prompts_.size()).second) {
      return unusable("two prompts are named " + in_quotes(prompt.name));
    }
    completes_ = completes_ || prompt.complete != nullptr;
  }
  return {};
}

base::Result<Catalog::Found> Catalog::find_resource(const std::string& uri) const {
  if (const auto listed = resources_.find(uri); listed != resources_.end()) {
    const Resource& resource = offer_.resources[listed->second];
    return Found{&resource.read, {}, resource.fresh};
  }
  for (std::size_t i = 0; i < templates_.size(); ++i) {
    if (auto values = templates_[i].match(uri)) {
      return Found{&offer_.templates[i].read, std::move(*values), offer_.templates[i].fresh};
    }
  }
  return base::fail(base::ErrorCode::NotFound, "there is no resource " + in_quotes(uri));
}

base::Result<const Prompt*> Catalog::find_prompt(std::string_view name) const {
  const auto found = prompts_.find(std::string(name));
  if (found != prompts_.end()) return &offer_.prompts[found->second];
  std::vector<std::string_view> names;
  for (const Prompt& prompt : offer_.prompts) names.push_back(prompt.name);
  return base::fail(base::ErrorCode::NotFound,
                    "unknown prompt " + in_quotes(name) + did_you_mean(name, names));
}

base::Result<const Completer*> Catalog::completer_of_prompt(std::string_view name,
                                                            std::string_view argument) const {
  const auto prompt = find_prompt(name);
  if (!prompt) return base::fail(prompt.error());
  for (const PromptArgument& known : (*prompt)->arguments) {
    if (known.name == argument) return (*prompt)->complete ? &(*prompt)->complete : nullptr;
  }
  return base::fail(base::ErrorCode::InvalidArgument,
                    "prompt " + in_quotes(name) + " has no argument " + in_quotes(argument));
}

base::Result<const Completer*> Catalog::completer_of_template(std::string_view uri_template,
                                                              std::string_view argument) const {
  for (std::size_t i = 0; i < templates_.size(); ++i) {
    if (templates_[i].text() != uri_template) continue;
    if (templates_[i].has(argument)) {
      return offer_.templates[i].complete ? &offer_.templates[i].complete : nullptr;
    }
    return base::fail(
        base::ErrorCode::InvalidArgument,
        "template " + in_quotes(uri_template) + " has no variable " + in_quotes(argument));
  }
  if (resources_.contains(std::string(uri_template))) return nullptr;
  return base::fail(base::ErrorCode::NotFound,
                    "there is no resource template " + in_quotes(uri_template));
}

Json Catalog::resource(std::size_t index, Revision revision) const {
  const Resource& resource = offer_.resources[index];
  Json out{{"uri", resource.uri}, {"name", resource.name}};
  add_title(out, resource.title, revision);
  add_text(out, "description", resource.description);
  add_text(out, "mimeType", resource.mime_type);
  if (resource.size) out["size"] = *resource.size;
  add_annotations(out, resource.annotations, revision);
  return out;
}

Json Catalog::resource_template(std::size_t index, Revision revision) const {
  const ResourceTemplate& one = offer_.templates[index];
  Json out{{"uriTemplate", one.uri_template}, {"name", one.name}};
  add_title(out, one.title, revision);
  add_text(out, "description", one.description);
  add_text(out, "mimeType", one.mime_type);
  add_annotations(out, one.annotations, revision);
  return out;
}

Json Catalog::prompt(std::size_t index, Revision revision) const {
  const Prompt& prompt = offer_.prompts[index];
  Json out{{"name", prompt.name}};
  add_title(out, prompt.title, revision);
  add_text(out, "description", prompt.description);
  if (prompt.arguments.empty()) return out;
  Json& arguments = out["arguments"] = Json::array();
  for (const PromptArgument& argument : prompt.arguments) {
    Json item{{"name", argument.name}, {"required", argument.required}};
    add_title(item, argument.title, revision);
    add_text(item, "description", argument.description);
    arguments.push_back(std::move(item));
  }
  return out;
}

}  // namespace mahavishnu::mcp
