#include "mcp/task_requests.h"

#include "mcp/error_map.h"
#include "mcp/nearest.h"
#include "mcp/task_views.h"

namespace mahavishnu::mcp {
namespace {

using Answered = tl::expected<Json, rpc::RpcError>;

constexpr base::Millis kHold{30000};        // tasks/result looks again
constexpr base::Millis kCancelWait{10000};  // 2025-11-25: cancelled before it is answered
constexpr std::size_t kLongestId = 512;

tl::unexpected<rpc::RpcError> refuse(rpc::RpcError error) {
  return tl::unexpected<rpc::RpcError>(std::move(error));
}

rpc::RpcError invalid(std::string message) {
  return rpc_error(error_code::kInvalidParams, std::move(message));
}

// A failure on the wire. Who may not do it is told so, and not that the server is broken.
rpc::RpcError task_error(const base::Error& error) {
  int code = error_code::kInternalError;
  if (error.code == base::ErrorCode::NotFound || error.code == base::ErrorCode::InvalidArgument) {
    code = error_code::kInvalidParams;
  } else if (error.code == base::ErrorCode::Denied) {
    code = error_code::kInvalidRequest;
  }
  return rpc_error(code, tool_error_text(error));
}

bool declares_tasks(const Meta& metadata) {
  const Json* capabilities = meta_member(metadata, meta_key::kClientCapabilities);
  if (capabilities == nullptr || !capabilities->is_object()) return false;
  const auto extensions = capabilities->find("extensions");
  if (extensions == capabilities->end() || !extensions->is_object()) return false;
  const auto found = extensions->find(kTasksExtension);
  return found != extensions->end() && found->is_object();
}

rpc::RpcError missing_extension() {
  auto error =
      rpc_error(error_code::kMissingRequiredClientCapability,
                "this request needs a client with the extension " + in_quotes(kTasksExtension));
  const Json extension{{kTasksExtension, Json::object()}};
  error.data = Json{{"requiredCapabilities", {{"extensions", extension}}}};
  return error;
}

base::awaitable<Answered> get_task(TaskKeeper* keeper, std::string id, Revision revision,
                                   Call* call) {
  const auto task = co_await keeper->get(std::move(id), call->caller(), base::Millis(0));
  if (!task) co_return refuse(task_error(task.error()));
  co_return detailed_json(*task, revision);
}

base::awaitable<Answered> answer_task(TaskKeeper* keeper, std::string id, Answers answers,
                                      Call* call) {
  const auto taken = co_await keeper->answer(std::move(id), std::move(answers), *call);
  if (!taken) co_return refuse(task_error(taken.error()));
  co_return Json::object();
}

base::awaitable<Answered> cancel_task(TaskKeeper* keeper, std::string id, Call* call) {
  const auto asked = co_await keeper->cancel(std::move(id), base::Millis(0), *call);
  if (!asked) co_return refuse(task_error(asked.error()));
  co_return Json::object();
}

// 2025-11-25: answers the task, and refuses what is over.
base::awaitable<Answered> end_task(TaskKeeper* keeper, std::string id, Revision revision,
                                   Call* call) {
  auto task = co_await keeper->get(id, call->caller(), base::Millis(0));
  if (!task) co_return refuse(task_error(task.error()));
  if (is_over(task->state)) {
    co_return refuse(invalid("the task is over and cannot be cancelled: it is " +
                             task_json(*task, revision)["status"].get<std::string>()));
  }
  const auto asked = co_await keeper->cancel(id, kCancelWait, *call);
  if (!asked) co_return refuse(task_error(asked.error()));
  task = co_await keeper->get(id, call->caller(), base::Millis(0));
  if (!task) co_return refuse(task_error(task.error()));
  co_return task_json(*task, revision);
}

base::awaitable<base::Status> ask_for(TaskKeeper* keeper, std::string id,
                                      std::vector<Question> questions, Call* call) {
  for (Question& question : questions) question.params = related_to(id, question.params);
  auto answers = co_await call->ask(std::move(questions));
  if (!answers) co_return base::fail(answers.error());
  const auto taken = co_await keeper->answer(std::move(id), std::move(*answers), *call);
  co_return taken;
}

// 2025-11-25: waits for the end; questions are asked on the way, on this request's stream.
base::awaitable<Answered> result_of_task(TaskKeeper* keeper, std::string id, Revision revision,
                                         Call* call) {
  while (true) {
    auto task = co_await keeper->get(id, call->caller(), kHold);
    if (!task) co_return refuse(task_error(task.error()));
    if (task->state == TaskState::InputRequired) {
      const auto asked = co_await ask_for(keeper, id, std::move(task->questions), call);
      if (!asked) co_return refuse(task_error(asked.error()));
    } else if (is_over(task->state)) {
      if (!task->end) co_return refuse(invalid("the task was cancelled and has no result"));
      if (auto* error = std::get_if<rpc::RpcError>(&*task->end)) co_return refuse(*error);
      co_return related_to(id, end_members(*task->end, revision));
    }
  }
}

base::awaitable<Answered> list_tasks(TaskKeeper* keeper, std::string cursor, Revision revision,
                                     Call* call) {
  const auto page = co_await keeper->list(call->caller(), std::move(cursor));
  if (!page) co_return refuse(task_error(page.error()));
  Json members{{"tasks", Json::array()}};
  for (const TaskView& task : page->tasks) members["tasks"].push_back(task_json(task, revision));
  add_text(members, "nextCursor", page->next);
  co_return members;
}

base::awaitable<Json> describe(TaskKeeper* keeper, std::string id, std::string caller,
                               Revision revision) {
  const auto task = co_await keeper->get(std::move(id), std::move(caller), base::Millis(0));
  co_return task ? detailed_json(*task, revision) : Json();
}

TaskWork work(const std::string& method, std::function<base::awaitable<Answered>(Call&)> run) {
  return {std::move(run), method};
}

}  // namespace

std::optional<rpc::RpcError> TaskRequests::refused(const std::string& tool, const std::string& id,
                                                   const View& view) const {
  if (tool.empty()) return std::nullopt;
  const auto entry = registry_.choose(tool, view);
  if (!entry) return task_error(entry.error());
  if (!view.permit) return std::nullopt;
  const auto admitted = view.permit->admit((*entry)->tool, Json{{"taskId", id}});
  return admitted ? std::nullopt : std::optional(task_error(admitted.error()));
}

bool TaskRequests::may_follow(const View& view) const {
  if (offer_.read_tool.empty()) return true;
  const auto entry = registry_.choose(offer_.read_tool, view);
  return entry && (!view.permit || view.permit->shows((*entry)->tool));
}

TaskRequests::Taken TaskRequests::take(const rpc::Request& request, Revision revision,
                                       const View& view) const {
  const std::string& method = request.method;
  const bool modern = is_modern(revision);
  if (modern && !declares_tasks(request.metadata)) return missing_extension();
  const auto text_in = [&request](const char* name) {
    const auto member = request.params.find(name);
    return member != request.params.end() && member->is_string() ? member->get<std::string>()
                                                                 : std::string();
  };
  TaskKeeper* keeper = offer_.keeper;
  if (method == "tasks/list") {
    if (auto error = refused(offer_.read_tool, "", view)) return std::move(*error);
    return work(method, [keeper, cursor = text_in("cursor"), revision](Call& call) {
      return list_tasks(keeper, cursor, revision, &call);
    });
  }
  const std::string id = text_in("taskId");
  if (id.empty() || id.size() > kLongestId) {
    return invalid("params.taskId must be a string: the task's handle");
  }
  const std::string& tool = method == "tasks/update"   ? offer_.answer_tool
                            : method == "tasks/cancel" ? offer_.cancel_tool
                                                       : offer_.read_tool;
  if (auto error = refused(tool, id, view)) return std::move(*error);
  if (method == "tasks/update") {
    const Json responses = request.params.value("inputResponses", Json());
    if (!responses.is_object()) {
      return invalid("params.inputResponses must be an object of answers");
    }
    return work(method, [keeper, id, responses](Call& call) {
      return answer_task(keeper, id, responses.get<Answers>(), &call);
    });
  }
  if (method == "tasks/cancel") {
    return work(method, [keeper, id, revision, modern](Call& call) {
      return modern ? cancel_task(keeper, id, &call) : end_task(keeper, id, revision, &call);
    });
  }
  if (method == "tasks/result") {
    return work(method, [keeper, id, revision](Call& call) {
      return result_of_task(keeper, id, revision, &call);
    });
  }
  return work(method,
              [keeper, id, revision](Call& call) { return get_task(keeper, id, revision, &call); });
}

tl::expected<TaskWish, rpc::RpcError> TaskRequests::wish(const Tool& tool,
                                                         const rpc::Request& request,
                                                         Revision revision,
                                                         const View& view) const {
  const bool required = tool.tasks == TaskSupport::Required;
  if (is_modern(revision)) {
    if (tool.tasks == TaskSupport::None) return TaskWish::No;
    if (declares_tasks(request.metadata) && may_follow(view)) return TaskWish::Welcome;
    if (required) return refuse(missing_extension());
    return TaskWish::No;
  }
  // Whoever knows no tasks ignores what is asked about them (2025-11-25, basic/utilities/tasks).
  const bool demanded =
      offer_.keeper != nullptr && has_tried_tasks(revision) && request.params.contains("task");
  if (!demanded && !required) return TaskWish::No;
  if (!demanded) {
    return refuse(rpc_error(error_code::kMethodNotFound,
                            "tool " + in_quotes(tool.name) + " runs as a task only"));
  }
  const Json& task = request.params["task"];
  const Json ttl = task.is_object() ? task.value("ttl", Json(0)) : Json();
  if (!ttl.is_number() || ttl < 0) {
    return refuse(invalid("params.task must be an object; its ttl a number of milliseconds"));
  }
  if (tool.tasks == TaskSupport::None || !may_follow(view)) {
    return refuse(rpc_error(error_code::kMethodNotFound,
                            "tool " + in_quotes(tool.name) + " does not run as a task"));
  }
  return TaskWish::Demanded;
}

tl::expected<TaskHandles, rpc::RpcError> TaskRequests::watched(const Json& wanted,
                                                               const Meta& metadata,
                                                               const View& view) const {
  TaskHandles out;
  const auto ids = wanted.find("taskIds");
  if (ids == wanted.end() || offer_.keeper == nullptr) return out;
  if (!declares_tasks(metadata)) return refuse(missing_extension());
  if (!ids->is_array() || ids->size() > Peer::kMostWatched) {
    return refuse(invalid("params.notifications.taskIds must be an array of at most 1000"));
  }
  if (auto error = refused(offer_.read_tool, "", view)) return refuse(std::move(*error));
  std::set<std::string> seen;
  for (const Json& id : *ids) {
    if (!id.is_string()) return refuse(invalid("a task's handle must be a string"));
    const auto& text = id.get_ref<const std::string&>();
    auto subject = offer_.keeper->subject(text, view.caller);
    if (subject && seen.insert(text).second) out.emplace(std::move(*subject), text);
  }
  return out;
}

TaskNews TaskRequests::news(std::string caller, Revision revision) const {
  if (offer_.keeper == nullptr) return {};
  return [keeper = offer_.keeper, caller = std::move(caller), revision](std::string id) {
    return describe(keeper, std::move(id), caller, revision);
  };
}

}  // namespace mahavishnu::mcp
