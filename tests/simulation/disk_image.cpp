#include "simulation/disk_image.h"

#include <algorithm>
#include <cstdio>
#include <set>

namespace mahavishnu::simulation {

void Verdict::add(std::string line) {
  if (aloud) {
    std::fputs((line + "\n").c_str(), stdout);
    return;
  }
  story.push_back(std::move(line));
  if (story.size() > 80) story.pop_front();
}

void DiskImage::apply(const std::vector<Record>& records) {
  for (const Record& record : records) std::visit([this](const auto& one) { put(one); }, record);
}

const TaskRecord* DiskImage::task(TaskId id) const {
  const auto at = tasks_.find(id);
  return at == tasks_.end() ? nullptr : &at->second;
}

const WorkflowRecord* DiskImage::workflow(WorkflowId id) const {
  const auto at = workflows_.find(id);
  return at == workflows_.end() ? nullptr : &at->second;
}

const PoolRecord* DiskImage::pool(PoolId id) const {
  const auto at = pools_.find(id);
  return at == pools_.end() ? nullptr : &at->second;
}

bool DiskImage::ended(TaskId id) const {
  const TaskRecord* found = task(id);
  return found != nullptr && is_terminal(found->status.state);
}

Archive::Keyed DiskImage::by_key(const std::string& caller, const std::string& key) const {
  const auto at = keys_.find({caller, key});
  return at == keys_.end() ? Archive::Keyed{} : at->second;
}

Snapshot DiskImage::begin_life() {
  Snapshot found;
  found.epoch = ++epoch_;
  for (const auto& [id, pool] : pools_) found.pools.push_back(pool);
  for (const auto& [id, workflow] : workflows_) {
    if (!is_terminal(workflow.status.state)) found.workflows.push_back(workflow);
  }
  std::set<TaskId> needed;
  for (const auto& [id, task] : tasks_) {
    if (is_terminal(task.status.state)) continue;
    needed.insert(task.spec->depends_on.begin(), task.spec->depends_on.end());
  }
  for (const TaskId id : order_) {
    TaskRecord task = tasks_.at(id);
    if (is_terminal(task.status.state)) {
      const WorkflowRecord* flow = workflow(task.workflow);
      const bool open = flow != nullptr && !is_terminal(flow->status.state);
      if (!open && !needed.contains(id)) continue;
      auto small = std::make_shared<TaskSpec>();
      small->repo = task.spec->repo;
      small->caller = task.spec->caller;
      small->worker_type = task.spec->worker_type;
      task.spec = std::move(small);
    }
    if (task.status.state != TaskState::Running) task.attempts.clear();
    task.result.reset();
    found.tasks.push_back(std::move(task));
  }
  return found;
}

void DiskImage::put(const TaskAdmitted& r) {
  if (!tasks_.emplace(r.task.id, r.task).second) {
    return verdict_.fail(brief(r.task.id) + " was admitted twice");
  }
  order_.push_back(r.task.id);
  if (!r.task.workflow) commands_.emplace(r.task.spec->work.command, r.task.id);
  claim_key(r.task.spec->caller, r.task.spec->idempotency_key, r.task.id, {});
}

void DiskImage::claim_key(const std::string& caller, const std::string& key, TaskId task,
                          WorkflowId flow) {
  if (key.empty()) return;
  if (!keys_.emplace(std::pair(caller, key), Archive::Keyed{task, flow}).second) {
    verdict_.fail("idempotency key " + key + " of " + caller + " names two pieces of work");
  }
}

void DiskImage::put(const TaskChanged& r) {
  const auto at = tasks_.find(r.task);
  if (at == tasks_.end()) return;  // its admission failed
  TaskStatus& status = at->second.status;
  if (r.status.version <= status.version) return;
  if (is_terminal(status.state)) verdict_.fail(brief(r.task) + " changed after its end");
  if (r.status.attempt < status.attempt) verdict_.fail(brief(r.task) + " lost an attempt");
  if (r.result && !is_terminal(r.status.state)) {
    verdict_.fail(brief(r.task) + " has a result and goes on");
  }
  status = r.status;
  if (r.result) at->second.result = r.result;
}

void DiskImage::put(const AttemptPut& r) {
  const auto at = tasks_.find(r.attempt.task);
  if (at == tasks_.end()) return;
  for (AttemptRecord& old : at->second.attempts) {
    if (old.number != r.attempt.number) continue;
    if (!old.ended) old = r.attempt;
    return;
  }
  at->second.attempts.push_back(r.attempt);
}

void DiskImage::put(const WorkflowAdmitted& r) {
  if (!workflows_.emplace(r.workflow.id, r.workflow).second) {
    verdict_.fail(brief(r.workflow.id) + " was admitted twice");
  }
  claim_key(r.workflow.spec->caller, r.workflow.spec->idempotency_key, {}, r.workflow.id);
}

void DiskImage::put(const WorkflowChanged& r) {
  const auto at = workflows_.find(r.workflow);
  if (at == workflows_.end()) return;
  WorkflowStatus& old = at->second.status;
  const WorkflowStatus& now = r.status;
  if (now.version <= old.version) return;
  const std::string name = brief(r.workflow);
  const auto done = [](const WorkflowStatus& s) {
    return s.completed + s.failed + s.cancelled + s.skipped;
  };
  if (is_terminal(old.state)) verdict_.fail(name + " changed after its end");
  if (done(now) < done(old)) verdict_.fail(name + " lost progress");
  if (now.queued + now.running + done(now) != now.total) verdict_.fail(name + " does not add up");
  if (is_terminal(now.state) != (done(now) == now.total)) {
    verdict_.fail(name + " ended too early or too late");
  }
  old = now;
}

}  // namespace mahavishnu::simulation
