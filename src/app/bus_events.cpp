#include "app/bus_events.h"

#include <string>
#include <utility>

#include "rpc/codec.h"
#include "rpc/json.h"

namespace mahavishnu::app {
namespace {

using rpc::Json;

struct Told {
  std::string topic;  // after "event."
  Json body;
};

void put(Json& body, const char* name, const std::string& text) {
  if (!text.empty()) body[name] = text;
}

Told of_task(const domain::TaskRecord& task, const domain::TaskStatus& status) {
  const std::string state(to_string(status.state));
  Json body{{"task", task.id.str()}, {"state", state}, {"attempt", status.attempt}};
  if (status.reason != domain::Reason::None) body["reason"] = to_string(status.reason);
  put(body, "pool", task.pool_name);
  put(body, "step", task.step);
  if (task.workflow) body["workflow"] = task.workflow.str();
  if (task.spec) {
    put(body, "repo", task.spec->repo);
    if (!task.spec->labels.empty()) body["labels"] = task.spec->labels;
  }
  return {"task." + state, std::move(body)};
}

Told of_workflow(domain::WorkflowId id, const domain::WorkflowStatus& status) {
  const std::string state(to_string(status.state));
  return {"workflow." + state, Json{{"workflow", id.str()},
                                    {"state", state},
                                    {"total", status.total},
                                    {"completed", status.completed},
                                    {"failed", status.failed},
                                    {"cancelled", status.cancelled}}};
}

Told of_pool(const domain::PoolRecord& pool) {
  const std::string state(to_string(pool.state));
  return {"pool." + state, Json{{"pool", pool.spec.name},
                                {"state", state},
                                {"target_workers", pool.target_workers},
                                {"paused", pool.paused}}};
}

// A record as an event; an empty topic: it is none.
class Teller {
 public:
  explicit Teller(const control::Service& service) : service_(service) {}

  Told operator()(const domain::TaskAdmitted& admitted) const {
    return of_task(admitted.task, admitted.task.status);
  }
  Told operator()(const domain::TaskChanged& changed) const {
    const auto known = service_.cached_task(changed.task);
    domain::TaskRecord bare;
    bare.id = changed.task;
    bare.workflow = changed.workflow;
    return of_task(known ? *known : bare, changed.status);
  }
  Told operator()(const domain::WorkflowAdmitted& admitted) const {
    return of_workflow(admitted.workflow.id, admitted.workflow.status);
  }
  Told operator()(const domain::WorkflowChanged& changed) const {
    return of_workflow(changed.workflow, changed.status);
  }
  Told operator()(const domain::PoolPut& put) const { return of_pool(put.pool); }
  Told operator()(const domain::PoolRemoved& removed) const {
    return {"pool.removed", Json{{"pool", removed.pool.str()}, {"state", "removed"}}};
  }
  Told operator()(const domain::AttemptPut&) const { return {}; }  // its task tells of it

 private:
  const control::Service& service_;
};

}  // namespace

void tell_events(control::MessageBus& bus, const control::Service& service,
                 const std::vector<domain::Record>& records) {
  if (!bus.wants_events()) return;
  const Teller teller(service);
  for (const domain::Record& record : records) {
    Told told = std::visit(teller, record);
    if (told.topic.empty()) continue;
    domain::NewMessage event;
    event.topics = {"event." + told.topic};
    event.body = rpc::dump(told.body);
    event.sender = "server";
    bus.tell(std::move(event));
  }
}

}  // namespace mahavishnu::app
