#include "tools/follow.h"

#include <algorithm>

#include "tools/json_views.h"

namespace mahavishnu::tools {
namespace {

// What is left of a wait that began when this was made.
class Countdown {
 public:
  Countdown(Context& context, base::Millis limit)
      : context_(context), end_(context.timers.now().mono + limit) {}
  base::Millis left() const {
    const auto left = std::chrono::duration_cast<base::Millis>(end_ - context_.timers.now().mono);
    return std::max(left, base::Millis{0});
  }

 private:
  Context& context_;
  base::MonoTime end_;
};

// The service waits by itself when nobody wants to hear of the steps in between.
bool tells_progress(const Wait& wait, const mcp::Call& call) {
  return wait.limit.count() > 0 && !wait.until_change && call.wants_progress();
}

struct Seen {
  int ended = 0;
  int unknown = 0;  // not at hand any more
};

Seen look_at(const Service& service, const std::vector<domain::TaskId>& tasks) {
  Seen seen;
  for (const domain::TaskId id : tasks) {
    const auto task = service.cached_task(id);
    if (task == nullptr) {
      ++seen.unknown;
    } else if (domain::is_terminal(task->status.state)) {
      ++seen.ended;
    }
  }
  return seen;
}

}  // namespace

std::string progress_text(const domain::WorkflowStatus& status) {
  return std::to_string(ended_of(status)) + "/" + std::to_string(status.total) + " cells, " +
         std::to_string(status.failed) + " failed";
}

base::awaitable<base::Result<Service::TaskPtr>> follow_task(Context& context, domain::TaskId id,
                                                            Wait wait, mcp::Call& call) {
  if (!tells_progress(wait, call)) co_return co_await context.service.task(id, wait);
  const Countdown countdown(context, wait.limit);
  auto task = co_await context.service.task(id, Wait{});
  for (int changes = 1; task; ++changes) {
    // How often it will change is not known: the total is left out.
    call.progress(changes, 0, std::string(domain::to_string((*task)->status.state)));
    const base::Millis left = countdown.left();
    if (domain::is_terminal((*task)->status.state) || left.count() == 0) break;
    task = co_await context.service.task(id, Wait{left, true});
  }
  co_return task;
}

base::awaitable<base::Result<Service::WorkflowPtr>> follow_workflow(Context& context,
                                                                    domain::WorkflowId id,
                                                                    Wait wait, mcp::Call& call) {
  if (!tells_progress(wait, call)) co_return co_await context.service.workflow(id, wait);
  const Countdown countdown(context, wait.limit);
  auto workflow = co_await context.service.workflow(id, Wait{});
  int told = -1;
  while (workflow && !domain::is_terminal((*workflow)->status.state)) {
    const auto& status = (*workflow)->status;
    if (ended_of(status) > told) {
      told = ended_of(status);
      call.progress(told, status.total, progress_text(status));
    }
    const base::Millis left = countdown.left();
    if (left.count() == 0) break;
    workflow = co_await context.service.workflow(id, Wait{left, true});
  }
  co_return workflow;
}

base::awaitable<base::Status> follow_batch(Context& context, domain::BatchId id,
                                           std::vector<domain::TaskId> tasks, Wait wait,
                                           mcp::Call& call) {
  if (!tells_progress(wait, call)) co_return co_await context.service.wait_batch(id, wait);
  const Countdown countdown(context, wait.limit);
  const int total = static_cast<int>(tasks.size());
  for (int told = -1;;) {
    const Seen seen = look_at(context.service, tasks);
    if (seen.ended > told) {
      told = seen.ended;
      call.progress(told, total, std::to_string(told) + "/" + std::to_string(total) + " tasks");
    }
    const base::Millis left = countdown.left();
    if (seen.ended == total || left.count() == 0) co_return base::Status{};
    // What has left memory cannot be counted: the service waits for the rest by itself.
    if (seen.ended + seen.unknown == total) {
      co_return co_await context.service.wait_batch(id, Wait{left, false});
    }
    base::Status changed = co_await context.service.wait_batch(id, Wait{left, true});
    if (!changed) co_return changed;
  }
}

}  // namespace mahavishnu::tools
