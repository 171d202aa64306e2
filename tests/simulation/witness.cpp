#include "simulation/witness.h"

#include <algorithm>

namespace mahavishnu::simulation {

void Witness::accepted(const control::Submitted& answer, const Key& key,
                       const std::string& command) {
  const std::string name = brief(answer.task);
  if (disk_.task(answer.task) == nullptr) verdict_.fail(name + " was accepted and is not on disk");
  if (!answer.existing && !disk_.has_command(command)) {
    verdict_.fail(name + " was accepted and its work is not on disk");
  }
  if (!key.second.empty()) {
    const auto [known, first] = task_keys_.emplace(key, answer.task);
    if (!first && known->second != answer.task) {
      verdict_.fail("key " + key.second + " named " + brief(known->second) + " and now " + name);
    }
  } else if (answer.existing) {
    verdict_.fail(name + " was there already, without a key");
  }
  if (std::find(tasks_.begin(), tasks_.end(), answer.task) == tasks_.end()) {
    tasks_.push_back(answer.task);
  }
}

void Witness::accepted(const control::Service::WorkflowStarted& answer, const Key& key) {
  const std::string name = brief(answer.workflow);
  if (disk_.workflow(answer.workflow) == nullptr) {
    verdict_.fail(name + " was accepted and is not on disk");
  }
  if (!key.second.empty()) {
    const auto [known, first] = workflow_keys_.emplace(key, answer.workflow);
    if (!first && known->second != answer.workflow) {
      verdict_.fail("key " + key.second + " named " + brief(known->second) + " and now " + name);
    }
  }
  if (std::find(workflows_.begin(), workflows_.end(), answer.workflow) == workflows_.end()) {
    workflows_.push_back(answer.workflow);
  }
}

std::uint64_t Witness::floor(TaskId id) const {
  const auto at = task_versions_.find(id);
  return at == task_versions_.end() ? 0 : at->second;
}

std::uint64_t Witness::floor(WorkflowId id) const {
  const auto at = workflow_versions_.find(id);
  return at == workflow_versions_.end() ? 0 : at->second;
}

void Witness::listed(const TaskRecord& task) const {
  const std::string name = brief(task.id);
  const TaskRecord* stored = disk_.task(task.id);
  if (stored == nullptr) return verdict_.fail(name + " is shown and is not on disk");
  const std::uint64_t version = task.status.version;
  if (version > stored->status.version) verdict_.fail(name + " is shown newer than it is on disk");
  if (version == stored->status.version && task.status.state != stored->status.state) {
    verdict_.fail(name + " is shown in a state that it is not in");
  }
}

void Witness::shown(const TaskRecord& task, std::uint64_t floor) {
  listed(task);
  const std::uint64_t version = task.status.version;
  if (version < floor) {
    verdict_.fail(brief(task.id) + " is shown older than it was shown before");
  }
  std::uint64_t& newest = task_versions_[task.id];
  newest = std::max(newest, version);
}

void Witness::shown(const WorkflowRecord& workflow, std::uint64_t floor) {
  const std::string name = brief(workflow.id);
  const WorkflowRecord* stored = disk_.workflow(workflow.id);
  if (stored == nullptr) return verdict_.fail(name + " is shown and is not on disk");
  const std::uint64_t version = workflow.status.version;
  if (version > stored->status.version) verdict_.fail(name + " is shown newer than it is on disk");
  if (version < floor) verdict_.fail(name + " is shown older than it was shown before");
  std::uint64_t& newest = workflow_versions_[workflow.id];
  newest = std::max(newest, version);
}

void Witness::missing(TaskId id) const {
  if (std::find(tasks_.begin(), tasks_.end(), id) != tasks_.end()) {
    verdict_.fail(brief(id) + " was accepted and is not found");
  }
}

void Witness::cancelled(const control::CancelOutcome& outcome) {
  for (const auto& item : outcome.items) {
    if (disk_.task(item.task) == nullptr) continue;  // its admission failed meanwhile
    if (!item.already_ended || item.ended) machine_.cancel_answered(item.task);
    if (!item.ended) continue;
    const std::string name = brief(item.task);
    if (!disk_.ended(item.task)) verdict_.fail(name + " is said to have ended, not so on disk");
    if (machine_.runs(item.task)) verdict_.fail(name + " runs after its cancel was answered");
  }
}

void Witness::look_back() const {
  for (const TaskId id : tasks_) {
    if (!disk_.ended(id)) verdict_.fail(brief(id) + " was accepted and is lost");
  }
  for (const auto& [id, task] : disk_.tasks()) {
    if (!is_terminal(task.status.state)) verdict_.fail(brief(id) + " never ended");
    if (task.status.state == TaskState::Completed && !machine_.succeeded(id)) {
      verdict_.fail(brief(id) + " completed, and no attempt of it did");
    }
  }
  for (const auto& [id, workflow] : disk_.workflows()) {
    if (!is_terminal(workflow.status.state)) verdict_.fail(brief(id) + " never ended");
  }
  for (const std::string& command : refused_) {
    if (disk_.has_command(command)) verdict_.fail(command + " was refused and was taken");
  }
}

}  // namespace mahavishnu::simulation
