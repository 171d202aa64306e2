// The tool model: what a tool is to the dispatcher and to a client.
//
// A tool's handler gets arguments that already met its input schema and answers the text of its
// structured result, or an Error, which becomes a result with isError true. A tool whose result is
// something else to show (images, links) answers content instead. Neither knows transport, era or
// wire code. One executor.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "mcp/call.h"
#include "mcp/content.h"
#include "mcp/kept_answer.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

enum class Effect {
  ReadOnly,     // readOnlyHint
  Additive,     // changes state, destroys nothing
  Idempotent,   // additive, and calling it again with the same arguments changes nothing more
  Destructive,  // destructiveHint
};

// JSON text of the structured result. Hot tools keep it ready; others dump a document.
using ToolResult = base::Result<std::string>;
using ToolHandler = std::function<base::awaitable<ToolResult>(Json arguments, Call& call)>;

// A hot tool's answer that is at hand already, without running the handler, or nullptr: then the
// handler runs. It must not suspend, and must answer what the handler would. Valid until the next
// call of any tool.
using AtHand = std::function<const KeptAnswer*(const Json& arguments)>;

// Whether a call may end with a task handed over (Call::hand_over).
enum class TaskSupport {
  None,
  Optional,
  Required,  // never called by a client that cannot follow tasks
};

using ContentHandler =
    std::function<base::awaitable<base::Result<ToolContent>>(Json arguments, Call& call)>;

struct Tool {
  std::string name;  // noun_verb
  std::string title;
  std::string description;  // for a model that must choose; "use X instead when …"
  Effect effect = Effect::ReadOnly;
  bool open_world = false;
  std::string toolset = "core";  // which is served unless others are asked for
  std::string input_schema;      // JSON text, draft-07 ∩ 2020-12, from schemas/
  std::string output_schema;
  ToolHandler handler;
  AtHand at_hand;                  // may be empty
  ContentHandler content_handler;  // instead of `handler`
  bool asks = false;               // its handler may use Call::ask
  TaskSupport tasks = TaskSupport::None;
};

// Wraps a typed handler: `In` needs from_json, `Out` needs to_json (nlohmann's ADL functions).
template <class In, class Out>
ToolHandler typed(std::function<base::awaitable<base::Result<Out>>(In, Call&)> handler);

}  // namespace mahavishnu::mcp

#include "mcp/tool_typed.h"
