// The tool model: what a tool is to the dispatcher and to a client.
//
// A tool's handler gets arguments that already met its input schema and answers the text of its
// structured result, or an Error, which becomes a result with isError true. It knows no transport,
// era or wire code. One executor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "mcp/kept_answer.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

using rpc::Json;

enum class Effect {
  ReadOnly,     // readOnlyHint
  Additive,     // changes state, destroys nothing
  Idempotent,   // additive, and calling it again with the same arguments changes nothing more
  Destructive,  // destructiveHint
};

// What a handler may know and do about the call it serves.
class Call {
 public:
  virtual ~Call() = default;
  virtual const std::string& caller() const = 0;  // who asked, for fair share
  virtual bool wants_progress() const = 0;
  // Sends notifications/progress when the caller gave a token; otherwise nothing. `progress` must
  // grow; dropped when the client reads too slowly.
  virtual void progress(double progress, double total, std::string message) = 0;
  // Directory and environment of the client that asked ("" and null where it gave none).
  virtual const std::string& working_directory() const = 0;
  virtual std::shared_ptr<const std::map<std::string, std::string>> environment() const = 0;
};

// JSON text of the structured result. Hot tools keep it ready; others dump a document.
using ToolResult = base::Result<std::string>;
// The handler owns nothing of the call: `call` lives until the awaitable ends. Cancelling the call
// cancels the coroutine (asio cancellation, terminal).
using ToolHandler = std::function<base::awaitable<ToolResult>(Json arguments, Call& call)>;

// A hot tool's answer that is at hand already, without running the handler, or nullptr: then the
// handler runs. It must not suspend, and must answer what the handler would. Valid until the next
// call of any tool.
using AtHand = std::function<const KeptAnswer*(const Json& arguments)>;

struct Tool {
  std::string name;  // noun_verb
  std::string title;
  std::string description;  // for a model that must choose; "use X instead when …"
  Effect effect = Effect::ReadOnly;
  bool open_world = false;
  std::string toolset = "core";  // which is served unless others are asked for
  std::string input_schema;  // JSON text, draft-07 ∩ 2020-12, from schemas/
  std::string output_schema;
  ToolHandler handler;
  AtHand at_hand;  // may be empty
};

// Wraps a typed handler: `In` needs from_json, `Out` needs to_json (nlohmann's ADL functions).
template <class In, class Out>
ToolHandler typed(std::function<base::awaitable<base::Result<Out>>(In, Call&)> handler);

}  // namespace mahavishnu::mcp

#include "mcp/tool_typed.h"
