// What a server offers besides its tools: resources, templates of resources, prompts, the
// completions of their arguments, and tasks. A value, given once at the server's making.
//
// Handlers are coroutines like those of tools. They answer an Error in the caller's words: NotFound
// and InvalidArgument are the client's mistake on the wire, everything else is the server's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "base/time.h"
#include "mcp/call.h"
#include "mcp/content.h"
#include "mcp/tasks.h"
#include "mcp/uri_template.h"

namespace mahavishnu::mcp {

// The contents of `uri`; `values` are those that its template took out of it, none for a resource
// that is listed. Never empty: a resource that is not there is NotFound.
using ResourceReader = std::function<base::awaitable<base::Result<std::vector<ResourceContents>>>(
    std::string uri, UriVariables values, Call& call)>;

struct Resource {
  std::string uri;
  std::string name;
  std::string title;
  std::string description;
  std::string mime_type;
  std::optional<std::int64_t> size;  // bytes
  Annotations annotations;
  base::Millis fresh{0};  // how long what was read may be taken for true
  ResourceReader read;
};

using Arguments = std::map<std::string, std::string, std::less<>>;  // by name

// What may stand where something is being written; `settled` are the arguments that need no more.
struct Completions {
  std::vector<std::string> values;  // most fitting first; at most 100 are told
  std::optional<std::size_t> total;
};
using Completer = std::function<base::awaitable<base::Result<Completions>>(
    std::string argument, std::string begun, Arguments settled, Call& call)>;

struct ResourceTemplate {
  std::string uri_template;  // RFC 6570, level 1
  std::string name;
  std::string title;
  std::string description;
  std::string mime_type;
  Annotations annotations;
  base::Millis fresh{0};
  ResourceReader read;
  Completer complete;  // may be empty
};

struct PromptArgument {
  std::string name;
  std::string title;
  std::string description;
  bool required = false;
};

enum class Role { User, Assistant };

struct PromptMessage {
  Role role = Role::User;
  Content content;
};

// The messages for these arguments: those that are required are there, and none is unknown.
using PromptHandler = std::function<base::awaitable<base::Result<std::vector<PromptMessage>>>(
    Arguments arguments, Call& call)>;

struct Prompt {
  std::string name;
  std::string title;
  std::string description;
  std::vector<PromptArgument> arguments;
  PromptHandler get;
  Completer complete;  // may be empty
  bool asks = false;   // its handler may use Call::ask
};

struct Offer {
  std::vector<Resource> resources;
  std::vector<ResourceTemplate> templates;
  std::vector<Prompt> prompts;
  TaskOffer tasks;
  bool logs = false;  // handlers use Call::log
  // What clients may be told of when it changes: Server::changed and Server::updated.
  bool tools_change = false;
  bool resources_change = false;
  bool prompts_change = false;
  bool resources_update = false;
};

}  // namespace mahavishnu::mcp
