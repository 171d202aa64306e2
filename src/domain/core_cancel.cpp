// Cancels: of named tasks, of all that a filter meets, of a workflow.
#include <algorithm>

#include "domain/core_state.h"

namespace mahavishnu::domain {

// Which commit holds the end of a task that has ended here: whoever is told of it waits for that.
// It is never an admission, so it cannot fail.
CommitNo Core::State::end_of_task(std::uint32_t task) const {
  const auto end = std::find_if(pending.rbegin(), pending.rend(), [&](const Pending& waiting) {
    return waiting.kind == Pending::Kind::Settle && waiting.slot == task &&
           waiting.id == tasks[task].id.value;
  });
  return end == pending.rend() ? 0 : end->commit;
}

void Core::State::on(const CancelTasks& event) {
  CancelAnswer answer;
  CommitNo ends = 0;
  for (const TaskId id : event.tasks) {
    const std::uint32_t task = find_task(id);
    if (task == kNone || tasks[task].place == Place::Ended) {
      if (task != kNone) ends = std::max(ends, end_of_task(task));
      answer.already_ended.push_back(id);
      continue;
    }
    cancel(task);
    answer.cancelled.push_back(id);
  }
  reply(event.ticket, std::move(answer), std::max(ends, commit()));
}

// The filter's names as the numbers tasks carry. `none`: a name nobody carries meets nothing.
void Core::State::on(const CancelMatching& event) {
  const std::uint32_t pool = event.pool ? find_pool(event.pool) : kNone;
  const std::uint32_t flow = event.workflow ? find_flow(event.workflow) : kNone;
  const std::uint32_t repo = event.repo.empty() ? kNone : repos.find(event.repo);
  const std::uint32_t caller = event.caller.empty() ? kNone : callers.find(event.caller);
  const bool none = (event.pool && pool == kNone) || (event.workflow && flow == kNone) ||
                    (!event.repo.empty() && repo == kNone) ||
                    (!event.caller.empty() && caller == kNone);
  const std::string label =
      event.label_key.empty() ? "" : '\x1E' + event.label_key + '\x1F' + event.label_value + '\x1E';
  CancelAnswer answer;
  for (std::uint32_t slot = 0; !none && slot < tasks.end(); ++slot) {
    const LiveTask& t = tasks[slot];
    if (t.id.is_null() || t.place == Place::Ended) continue;
    if ((pool != kNone && t.pool != pool) || (flow != kNone && t.flow != flow) ||
        (repo != kNone && t.repo != repo) || (caller != kNone && t.caller != caller) ||
        (event.batch && t.batch != event.batch)) {
      continue;
    }
    if (!label.empty() && labels.text(t.labels).find(label) == std::string::npos) continue;
    answer.cancelled.push_back(t.id);
    cancel(slot);
  }
  reply(event.ticket, std::move(answer), commit());
}

void Core::State::on(const CancelWorkflow& event) {
  CancelAnswer answer;
  CommitNo ends = 0;
  const std::uint32_t slot = find_flow(event.workflow);
  if (slot != kNone) {
    LiveFlow& flow = flows[slot];
    flow.cancelling = true;
    for (const std::uint32_t task : flow.tasks) {
      if (task == kNone) continue;
      const bool ended = tasks[task].place == Place::Ended;
      (ended ? answer.already_ended : answer.cancelled).push_back(tasks[task].id);
      if (ended) ends = std::max(ends, end_of_task(task));
      if (!ended) cancel(task);
    }
  }
  reply(event.ticket, std::move(answer), std::max(ends, commit()));
}

}  // namespace mahavishnu::domain
