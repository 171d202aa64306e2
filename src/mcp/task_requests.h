// The requests about tasks, of both forms: who may make them, their parameters checked, and the
// work that answers them. Knows no transport and runs nothing. One executor. Lifetime: longer than
// the work it gave.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "base/asio.h"
#include "mcp/eras.h"
#include "mcp/registry.h"
#include "mcp/subscriptions.h"
#include "mcp/tasks.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// Answers the result's members.
struct TaskWork {
  std::function<base::awaitable<tl::expected<Json, rpc::RpcError>>(Call&)> run;
  std::string what;  // for messages: "tasks/get"
};

class TaskRequests {
 public:
  // Both must outlive this.
  TaskRequests(const TaskOffer& offer, const Registry& registry)
      : offer_(offer), registry_(registry) {}

  // Of the methods "tasks/…" that the revision has.
  using Taken = std::variant<rpc::RpcError, TaskWork>;
  Taken take(const rpc::Request& request, Revision revision, const View& view) const;

  // Whether a call of `tool` may or must become a task; an error when this client's cannot be.
  tl::expected<TaskWish, rpc::RpcError> wish(const Tool& tool, const rpc::Request& request,
                                             Revision revision, const View& view) const;

  // Of the handles in `wanted.taskIds` of subscriptions/listen, those that there are.
  tl::expected<TaskHandles, rpc::RpcError> watched(const Json& wanted, const Meta& metadata,
                                                   const View& view) const;

  // What subscribers of this caller are told of a task.
  TaskNews news(std::string caller, Revision revision) const;

 private:
  bool may_follow(const View& view) const;
  std::optional<rpc::RpcError> refused(const std::string& tool, const std::string& id,
                                       const View& view) const;

  const TaskOffer& offer_;
  const Registry& registry_;
};

}  // namespace mahavishnu::mcp
