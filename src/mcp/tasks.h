// Calls of tools that go on after their answer: tasks, in both forms the protocol gives them.
//
// 2026-07-28 has them as the extension io.modelcontextprotocol/tasks: the server decides, a client
// that declared the extension gets a handle instead of a result, asks with tasks/get and answers
// questions with tasks/update. 2025-11-25 has them as an experiment: the client demands a task with
// the call, and reads its end with tasks/result. Here both are one thing: a handle, a state, and an
// end. Who keeps the tasks, and whether they outlive the server, is the keeper's. One executor.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "base/time.h"
#include "mcp/call.h"
#include "mcp/content.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

enum class TaskState { Working, InputRequired, Completed, Failed, Cancelled };

inline bool is_over(TaskState state) {
  return state != TaskState::Working && state != TaskState::InputRequired;
}

// What the call would have answered had it waited for the end: JSON text of a structured result,
// content, a failure of the tool, or an error of the protocol.
using TaskEnd = std::variant<std::string, ToolContent, base::Error, rpc::RpcError>;

// A task at one moment, as one caller sees it.
struct TaskView {
  std::string id;       // the handle: what a client names it by
  std::string subject;  // what Server::task_changed is told when it changes
  TaskState state = TaskState::Working;
  std::string message;  // for people; "": none
  base::WallTime created{};
  base::WallTime updated{};
  std::optional<base::Millis> ttl;  // it is known so long from `created` on; nullopt: no end is set
  base::Millis poll{1000};          // how often it is worth asking
  std::vector<Question>
      questions;  // InputRequired: all without an answer, by keys never used twice
  // Once it is over. Failed: an RpcError; Completed: anything else; Cancelled: what is left to
  // tell.
  std::optional<TaskEnd> end;
};

struct TaskPage {
  std::vector<TaskView> tasks;
  std::string next;  // "": that was all
};

// Whoever has the tasks. A handle is good for the caller that it was given to and for nobody else:
// to all others, and once its time is over, there is no such task (NotFound).
class TaskKeeper {
 public:
  virtual ~TaskKeeper() = default;

  // Answers once the task is over or needs an answer, at the latest after `wait`.
  virtual base::awaitable<base::Result<TaskView>> get(std::string id, std::string caller,
                                                      base::Millis wait) = 0;
  // Answers to its questions; those to no open question are ignored.
  virtual base::awaitable<base::Status> answer(std::string id, Answers answers, Call& call) = 0;
  // Asks for its end, and waits for it at most `wait`. Of one that is over: nothing.
  virtual base::awaitable<base::Status> cancel(std::string id, base::Millis wait, Call& call) = 0;
  // The caller's tasks. InvalidArgument: `cursor` is none of its lists.
  virtual base::awaitable<base::Result<TaskPage>> list(std::string caller, std::string cursor) = 0;
  // What task_changed is told of it; nullopt: no such task.
  virtual std::optional<std::string> subject(std::string_view id,
                                             std::string_view caller) const = 0;
};

// What a server offers of tasks. Who may not call one of the tools may not do what stands for it
// with a task either; "": anybody may.
struct TaskOffer {
  TaskKeeper* keeper = nullptr;  // null: there are none; else longer than the server
  std::string read_tool;         // get, result, list, and to be told of changes
  std::string answer_tool;
  std::string cancel_tool;
};

}  // namespace mahavishnu::mcp
