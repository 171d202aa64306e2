// The journal of a simulated world: commits in order, of which a crash keeps only the first ones.
//
// `apply` is what a real journal does to its tables; it refuses what the guarantees rule out (an
// end that comes twice), and tells what a start would find.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "domain/core.h"

namespace mahavishnu::simulation {

using namespace mahavishnu::domain;

struct SimulatedDisk {
  std::map<TaskId, TaskRecord> tasks;
  std::map<TaskId, std::map<std::uint32_t, AttemptRecord>> attempts;
  std::map<WorkflowId, WorkflowRecord> workflows;
  std::map<PoolId, PoolRecord> pools;
  std::map<std::pair<std::string, std::string>, TaskId> keys;
  std::string broken;  // the first broken rule

  void apply(const std::vector<Record>& records) {
    for (const Record& record : records) {
      std::visit([this](const auto& r) { put(r); }, record);
    }
  }

  bool ended(TaskId id) const {
    const auto at = tasks.find(id);
    return at != tasks.end() && is_terminal(at->second.status.state);
  }
  bool completed(TaskId id) const {
    const auto at = tasks.find(id);
    return at != tasks.end() && at->second.status.state == TaskState::Completed;
  }

  Snapshot snapshot(std::uint64_t epoch, bool with_attempts) const {
    Snapshot found;
    found.epoch = epoch;
    for (const auto& [id, pool] : pools) found.pools.push_back(pool);
    std::set<TaskId> needed;
    for (const auto& [id, workflow] : workflows) {
      if (!is_terminal(workflow.status.state)) found.workflows.push_back(workflow);
    }
    for (const auto& [id, task] : tasks) {
      if (is_terminal(task.status.state)) continue;
      needed.insert(task.spec->depends_on.begin(), task.spec->depends_on.end());
    }
    for (const auto& [id, task] : tasks) {
      const auto flow = workflows.find(task.workflow);
      const bool open = flow != workflows.end() && !is_terminal(flow->second.status.state);
      if (is_terminal(task.status.state) && !open && !needed.contains(id)) continue;
      found.tasks.push_back(task);
      const auto tries = attempts.find(id);
      if (!with_attempts || tries == attempts.end()) continue;
      for (const auto& [number, attempt] : tries->second) {
        found.tasks.back().attempts.push_back(attempt);
      }
    }
    return found;
  }

 private:
  void fail(const std::string& what) {
    if (broken.empty()) broken = what;
  }
  void put(const PoolPut& r) { pools[r.pool.id] = r.pool; }
  void put(const PoolRemoved& r) { pools.erase(r.pool); }
  void put(const TaskAdmitted& r) {
    if (!tasks.emplace(r.task.id, r.task).second) fail(r.task.id.str() + " was admitted twice");
    if (!r.task.spec->idempotency_key.empty()) {
      const auto key = std::pair(r.task.spec->caller, r.task.spec->idempotency_key);
      if (!keys.emplace(key, r.task.id).second) fail("two tasks have the key " + key.second);
    }
  }
  void put(const TaskChanged& r) {
    const auto at = tasks.find(r.task);
    if (at == tasks.end()) return;  // its admission failed
    TaskStatus& status = at->second.status;
    if (is_terminal(status.state)) fail(r.task.str() + " changed after its end");
    if (r.status.version <= status.version) fail(r.task.str() + " has a version that did not grow");
    if (r.status.attempt < status.attempt) fail(r.task.str() + " lost an attempt");
    if (r.result && !is_terminal(r.status.state)) fail(r.task.str() + " has a result and goes on");
    status = r.status;
  }
  void put(const AttemptPut& r) {
    AttemptRecord& old = attempts[r.attempt.task][r.attempt.number];
    if (old.ended && !r.attempt.ended) fail(r.attempt.task.str() + " took an end back");
    old = r.attempt;
  }
  void put(const WorkflowAdmitted& r) { workflows[r.workflow.id] = r.workflow; }
  void put(const WorkflowChanged& r) {
    const auto at = workflows.find(r.workflow);
    if (at == workflows.end()) return;
    const WorkflowStatus& old = at->second.status;
    const WorkflowStatus& now = r.status;
    const std::string name = r.workflow.str();
    if (is_terminal(old.state)) fail(name + " changed after its end");
    if (now.version <= old.version) fail(name + " has a version that did not grow");
    const auto done = [](const WorkflowStatus& s) {
      return s.completed + s.failed + s.cancelled + s.skipped;
    };
    if (done(now) < done(old)) fail(name + " lost progress");
    if (now.queued + now.running + done(now) != now.total) fail(name + " does not add up");
    if (is_terminal(now.state) != (done(now) == now.total)) fail(name + " ended too early or late");
    at->second.status = now;
  }
};

}  // namespace mahavishnu::simulation
