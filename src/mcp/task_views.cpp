#include "mcp/task_views.h"

#include "mcp/error_map.h"
#include "mcp/kept_answer.h"

namespace mahavishnu::mcp {
namespace {

std::string_view to_string(TaskState state) {
  switch (state) {
    case TaskState::Working:
      return "working";
    case TaskState::InputRequired:
      return "input_required";
    case TaskState::Completed:
      return "completed";
    case TaskState::Failed:
      return "failed";
    case TaskState::Cancelled:
      break;
  }
  return "cancelled";
}

Json requests_of(const std::vector<Question>& questions) {
  Json out = Json::object();
  for (const Question& question : questions) {
    out[question.key] = {{"method", method_of(question.what)}, {"params", question.params}};
  }
  return out;
}

Json error_json(const rpc::RpcError& error) {
  Json out{{"code", error.code}, {"message", error.message}};
  if (!error.data.is_null()) out["data"] = error.data;
  return out;
}

struct Shown {
  Revision revision;

  Json operator()(const std::string& structured) const {
    std::string text = "{";
    append_result_members(text, structured, has_structure(revision));
    return Json::parse(text + "}");
  }
  Json operator()(const ToolContent& content) const { return content_members(content, revision); }
  Json operator()(const base::Error& error) const {
    const Content text = text_content(tool_error_text(error));
    return {{"content", Json::array({to_json(text, revision)})}, {"isError", true}};
  }
  Json operator()(const rpc::RpcError&) const { return Json::object(); }
};

}  // namespace

Json content_members(const ToolContent& result, Revision revision) {
  Json members{{"content", to_json(result.content, revision)}, {"isError", result.is_error}};
  if (has_structure(revision) && !result.structured.is_null()) {
    members["structuredContent"] = result.structured;
  }
  return members;
}

Json task_json(const TaskView& task, Revision revision) {
  Json out{{"taskId", task.id},
           {"status", to_string(task.state)},
           {"createdAt", base::to_rfc3339(task.created)},
           {"lastUpdatedAt", base::to_rfc3339(task.updated)}};
  add_text(out, "statusMessage", task.message);
  const bool modern = is_modern(revision);
  out[modern ? "ttlMs" : "ttl"] = task.ttl ? Json(task.ttl->count()) : Json();
  out[modern ? "pollIntervalMs" : "pollInterval"] = task.poll.count();
  return out;
}

Json detailed_json(const TaskView& task, Revision revision) {
  Json out = task_json(task, revision);
  if (!is_modern(revision)) return out;
  if (task.state == TaskState::InputRequired) out["inputRequests"] = requests_of(task.questions);
  if (!task.end) return out;
  if (task.state == TaskState::Failed) {
    if (const auto* error = std::get_if<rpc::RpcError>(&*task.end)) {
      out["error"] = error_json(*error);
    }
  } else if (task.state == TaskState::Completed) {
    out["result"] = end_members(*task.end, revision);
    out["result"]["resultType"] = "complete";
  }
  return out;
}

Json end_members(const TaskEnd& end, Revision revision) { return std::visit(Shown{revision}, end); }

Json related_to(std::string_view task, Json members) {
  members["_meta"][meta_key::kRelatedTask] = {{"taskId", task}};
  return members;
}

}  // namespace mahavishnu::mcp
