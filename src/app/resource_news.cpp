#include "app/resource_news.h"

#include "tools/offer.h"

namespace mahavishnu::app {
namespace {

class Teller {
 public:
  Teller(mcp::Server& server, const control::Service& service)
      : server_(server), service_(service) {}

  void operator()(const domain::TaskAdmitted& admitted) const {
    pool(admitted.task.pool, admitted.task.pool_name);
  }
  void operator()(const domain::TaskChanged& changed) const {
    server_.updated(tools::task_uri(changed.task));
    server_.updated(tools::output_uri(changed.task));  // its end brings the last of it
    server_.task_changed(changed.task.str());
    if (changed.workflow) workflow(changed.workflow);
    if (changed.batch && domain::is_terminal(changed.status.state)) {
      server_.task_changed(changed.batch.str());
    }
    if (const auto task = service_.cached_task(changed.task)) pool(task->pool, task->pool_name);
  }
  void operator()(const domain::WorkflowAdmitted&) const {}  // nobody knows its id yet
  void operator()(const domain::WorkflowChanged& changed) const { workflow(changed.workflow); }
  void operator()(const domain::PoolPut& put) const {
    pool(put.pool.id, put.pool.spec.name);
    server_.task_changed(put.pool.id.str());
  }
  void operator()(const domain::PoolRemoved& removed) const {
    server_.updated(tools::pool_uri(removed.pool.str()));
    server_.task_changed(removed.pool.str());
  }
  void operator()(const domain::AttemptPut&) const {}  // its task tells of it

 private:
  void workflow(domain::WorkflowId id) const {
    server_.updated(tools::workflow_uri(id));
    server_.task_changed(id.str());
  }
  void pool(domain::PoolId id, const std::string& name) const {
    server_.updated(tools::pool_uri(id.str()));
    server_.updated(tools::pool_uri(name));
  }

  mcp::Server& server_;
  const control::Service& service_;
};

}  // namespace

void tell_updates(mcp::Server& server, const control::Service& service,
                  const std::vector<domain::Record>& records) {
  if (!server.is_watched()) return;
  const Teller teller(server, service);
  for (const domain::Record& record : records) std::visit(teller, record);
}

}  // namespace mahavishnu::app
