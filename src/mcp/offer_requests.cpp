#include "mcp/offer_requests.h"

#include <algorithm>

#include "mcp/error_map.h"
#include "mcp/nearest.h"
#include "mcp/page.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::size_t kMostCompletions = 100;  // schema, CompleteResult

rpc::RpcError invalid(std::string message) {
  return rpc_error(error_code::kInvalidParams, std::move(message));
}

// A string member; nullptr: it is missing or no string.
const std::string* string_in(const Json& object, const char* name) {
  if (!object.is_object()) return nullptr;
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? &member->get_ref<const std::string&>()
                                                       : nullptr;
}

base::awaitable<base::Result<Json>> read_resource(const ResourceReader* reader, std::string uri,
                                                  UriVariables values, base::Millis fresh,
                                                  Revision revision, Call* call) {
  auto contents = co_await (*reader)(uri, std::move(values), *call);
  if (!contents) co_return base::fail(contents.error());
  // An empty array could mean either (2026-07-28, server/resources, "Error Handling").
  if (contents->empty()) {
    co_return base::fail(base::ErrorCode::NotFound, "there is no resource " + in_quotes(uri));
  }
  Json members{{"contents", Json::array()}};
  for (const ResourceContents& one : *contents) members["contents"].push_back(to_json(one));
  if (is_modern(revision)) {
    members["ttlMs"] = fresh.count();
    members["cacheScope"] = "private";
  }
  co_return members;
}

base::awaitable<base::Result<Json>> get_prompt(const Prompt* prompt, Arguments arguments,
                                               Revision revision, Call* call) {
  auto messages = co_await prompt->get(std::move(arguments), *call);
  if (!messages) co_return base::fail(messages.error());
  Json members{{"messages", Json::array()}};
  add_text(members, "description", prompt->description);
  for (const PromptMessage& message : *messages) {
    Json item{{"role", message.role == Role::User ? "user" : "assistant"}};
    item["content"] = to_json(message.content, revision);
    members["messages"].push_back(std::move(item));
  }
  co_return members;
}

Json completion_of(Completions found) {
  const bool more = found.values.size() > kMostCompletions;
  const std::size_t total = found.total.value_or(found.values.size());
  if (more) found.values.resize(kMostCompletions);
  const bool has_more = more || total > found.values.size();
  return {{"completion", {{"values", found.values}, {"total", total}, {"hasMore", has_more}}}};
}

base::awaitable<base::Result<Json>> complete_argument(const Completer* completer,
                                                      std::string argument, std::string begun,
                                                      Arguments settled, Call* call) {
  if (completer == nullptr) co_return completion_of({});
  auto found =
      co_await (*completer)(std::move(argument), std::move(begun), std::move(settled), *call);
  if (!found) co_return base::fail(found.error());
  co_return completion_of(std::move(*found));
}

// An object of strings; absent is empty.
base::Result<Arguments> arguments_in(const Json& object, const char* name) {
  Arguments out;
  if (!object.is_object() || !object.contains(name)) return out;
  const Json& given = object[name];
  const auto refuse = [name] {
    return base::fail(base::ErrorCode::InvalidArgument,
                      std::string(name) + " must be an object of strings");
  };
  if (!given.is_object()) return refuse();
  for (const auto& [key, value] : given.items()) {
    if (!value.is_string()) return refuse();
    out.emplace(key, value.get<std::string>());
  }
  return out;
}

// What is wrong with the arguments of a prompt, or "".
std::string misfit(const Prompt& prompt, const Arguments& arguments) {
  std::vector<std::string_view> names;
  for (const PromptArgument& known : prompt.arguments) {
    names.push_back(known.name);
    if (known.required && !arguments.contains(known.name)) {
      return "prompt " + in_quotes(prompt.name) + " needs the argument " + in_quotes(known.name);
    }
  }
  for (const auto& [name, value] : arguments) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      return "prompt " + in_quotes(prompt.name) + " has no argument " + in_quotes(name) +
             did_you_mean(name, names);
    }
  }
  return "";
}

}  // namespace

std::optional<OfferRequests::Taken> OfferRequests::take(const std::string& method,
                                                        const Json& params,
                                                        Revision revision) const {
  const Offer& offer = catalog_.offer();
  if (method == "resources/list") {
    return list("resources", params, revision, offer.resources.size(), &Catalog::resource);
  }
  if (method == "resources/templates/list") {
    return list("resourceTemplates", params, revision, offer.templates.size(),
                &Catalog::resource_template);
  }
  if (method == "prompts/list") {
    return list("prompts", params, revision, offer.prompts.size(), &Catalog::prompt);
  }
  if (method == "resources/read") return read(params, revision);
  if (method == "prompts/get") return get(params, revision);
  if (method == "completion/complete") return complete(params);
  return std::nullopt;
}

OfferRequests::Taken OfferRequests::list(const char* member, const Json& params, Revision revision,
                                         std::size_t items,
                                         Json (Catalog::*item)(std::size_t, Revision) const) const {
  auto page = page_of(member, params, items, page_size_);
  if (!page) return invalid(page.error().message);
  ListPage out{member, Json::array(), std::move(page->next)};
  for (std::size_t i = page->begin; i < page->end; ++i) {
    out.items.push_back((catalog_.*item)(i, revision));
  }
  return out;
}

OfferRequests::Taken OfferRequests::read(const Json& params, Revision revision) const {
  const std::string* uri = string_in(params, "uri");
  if (uri == nullptr || uri->empty()) {
    return invalid("params.uri must be a string: the resource to read");
  }
  auto found = catalog_.find_resource(*uri);
  if (!found) return offer_error(found.error(), *uri, revision);
  OfferWork work;
  work.what = "resource " + in_quotes(*uri);
  work.uri = *uri;
  work.run = [found = std::move(*found), uri = *uri, revision](Call& call) {
    return read_resource(found.read, uri, found.values, found.fresh, revision, &call);
  };
  return work;
}

OfferRequests::Taken OfferRequests::get(const Json& params, Revision revision) const {
  const std::string* name = string_in(params, "name");
  if (name == nullptr) return invalid("params.name must be a string: the prompt to get");
  const auto prompt = catalog_.find_prompt(*name);
  if (!prompt) return invalid(prompt.error().message);
  auto arguments = arguments_in(params, "arguments");
  if (!arguments) return invalid("params." + arguments.error().message);
  if (std::string wrong = misfit(**prompt, *arguments); !wrong.empty()) return invalid(wrong);
  OfferWork work;
  work.what = "prompt " + in_quotes(*name);
  work.asks = (*prompt)->asks;
  work.run = [prompt = *prompt, arguments = std::move(*arguments), revision](Call& call) {
    return get_prompt(prompt, arguments, revision, &call);
  };
  return work;
}

OfferRequests::Taken OfferRequests::complete(const Json& params) const {
  const Json reference = params.is_object() ? params.value("ref", Json()) : Json();
  const Json argument = params.is_object() ? params.value("argument", Json()) : Json();
  const std::string* type = string_in(reference, "type");
  const std::string* name = string_in(argument, "name");
  const std::string* begun = string_in(argument, "value");
  if (name == nullptr || begun == nullptr) {
    return invalid("params.argument must have a name and a value, both strings");
  }
  const bool of_prompt = type != nullptr && *type == "ref/prompt";
  const std::string* target = string_in(reference, of_prompt ? "name" : "uri");
  if (type == nullptr || (!of_prompt && *type != "ref/resource") || target == nullptr) {
    return invalid("params.ref must be a ref/prompt with a name, or a ref/resource with a uri");
  }
  auto settled = arguments_in(params.value("context", Json()), "arguments");
  if (!settled) return invalid("params.context." + settled.error().message);
  const auto completer = of_prompt ? catalog_.completer_of_prompt(*target, *name)
                                   : catalog_.completer_of_template(*target, *name);
  if (!completer) return invalid(completer.error().message);
  OfferWork work;
  work.what = "completion of " + in_quotes(*name);
  work.run = [completer = *completer, name = *name, begun = *begun, settled = std::move(*settled)](
                 Call& call) { return complete_argument(completer, name, begun, settled, &call); };
  return work;
}

rpc::RpcError offer_error(const base::Error& error, const std::string& uri, Revision revision) {
  if (error.code == base::ErrorCode::NotFound && !uri.empty()) {
    auto out = rpc_error(
        is_modern(revision) ? error_code::kInvalidParams : error_code::kLegacyResourceNotFound,
        error.message);
    out.data = Json{{"uri", uri}};
    return out;
  }
  const bool of_client =
      error.code == base::ErrorCode::NotFound || error.code == base::ErrorCode::InvalidArgument;
  return rpc_error(of_client ? error_code::kInvalidParams : error_code::kInternalError,
                   tool_error_text(error));
}

}  // namespace mahavishnu::mcp
