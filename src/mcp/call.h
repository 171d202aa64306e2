// What a handler of a tool, a resource, a prompt or a completion may know and do about the call it
// serves. It owns nothing of the call, which lives until the handler's awaitable ends. Cancelling
// the call cancels the coroutine (asio cancellation, terminal). One executor.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

using rpc::Json;

// The severities of RFC 5424, least first.
enum class LogLevel { Debug, Info, Notice, Warning, Error, Critical, Alert, Emergency };

// What a client may be asked for while it waits for an answer, by the capability it declares.
enum class Ask {
  Elicitation,  // elicitation/create: a form for its user
  Sampling,     // sampling/createMessage: its model
  Roots,        // roots/list: its directories
};

struct Question {
  std::string key;  // names its answer; the same question of the same call has the same key
  Ask what = Ask::Elicitation;
  Json params;  // of the request that asks
};
using Answers = std::map<std::string, Json, std::less<>>;  // by key: the client's results

struct TaskView;  // mcp/tasks.h

// Whether a call may be answered with a task, whose end its client asks for later.
enum class TaskWish {
  No,        // the client knows no tasks, or may not ask for their ends
  Welcome,   // as the handler thinks fit
  Demanded,  // the client takes nothing else
};

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

  // Sends notifications/message when the client asked for messages of this level; otherwise
  // nothing. `data` is any document, never a secret. Bounded: dropped when the client reads too
  // slowly.
  virtual void log(LogLevel level, std::string logger, Json data);

  // Whether the client can be asked so during this call.
  virtual bool can_ask(Ask what) const;

  // The client's answers to all of the questions; only where the tool or prompt says `asks`. In the
  // revisions with sessions the handler waits here. From 2026-07-28 on it does not: an Error comes
  // back that the handler must return, the client gets the questions, and its next request runs the
  // handler from its beginning, where this then has the answers. So a handler must do nothing
  // before its last `ask` that may not be done twice. An Error when the client cannot be asked so
  // (it is told which capability is missing), refuses, or is gone.
  virtual base::awaitable<base::Result<Answers>> ask(std::vector<Question> questions);

  // Only of tools that say they give tasks.
  virtual TaskWish task_wish() const;
  // The client gets this task, which its keeper already has for good, instead of a result; the
  // handler must return the Error that comes back. Not without a wish.
  virtual base::Error hand_over(const TaskView& task);
  // The subject of the task that was handed over; "": none.
  virtual std::string handed_over() const;
};

std::string_view to_string(LogLevel level);  // as on the wire: "warning"
// False when `text` names no level.
bool parse_log_level(std::string_view text, LogLevel& level);

std::string_view method_of(Ask what);      // "elicitation/create"
std::string_view capability_of(Ask what);  // "elicitation"

}  // namespace mahavishnu::mcp
