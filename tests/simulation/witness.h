// What clients were told, held against the disk: nothing newer than disk is shown, nothing older
// than what was shown before, nothing accepted is lost, a key names one piece of work, what was
// refused never runs, and nothing runs after its cancel was answered. It outlives every life.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "control/service.h"
#include "simulation/disk_image.h"
#include "simulation/simulated_machine.h"

namespace mahavishnu::simulation {

class Witness {
 public:
  Witness(const DiskImage& disk, Machine& machine, Verdict& verdict)
      : disk_(disk), machine_(machine), verdict_(verdict) {}

  using Key = std::pair<std::string, std::string>;  // caller and key; the latter may be empty
  void accepted(const control::Submitted& answer, const Key& key, const std::string& command);
  void accepted(const control::Service::WorkflowStarted& answer, const Key& key);
  void refused(const std::string& command) { refused_.insert(command); }

  // The version last shown, asked before a read begins; the read may not show an older one.
  std::uint64_t floor(TaskId id) const;
  std::uint64_t floor(WorkflowId id) const;
  void shown(const TaskRecord& task, std::uint64_t floor);
  // In a listing, which may be ahead of single reads: it sees the disk, they what the shell was
  // told.
  void listed(const TaskRecord& task) const;
  void shown(const WorkflowRecord& workflow, std::uint64_t floor);
  void missing(TaskId id) const;  // a read said that there is no such task
  void cancelled(const control::CancelOutcome& outcome);

  // When all is over.
  void look_back() const;

  const std::vector<TaskId>& tasks() const { return tasks_; }
  const std::vector<WorkflowId>& workflows() const { return workflows_; }

 private:
  const DiskImage& disk_;
  Machine& machine_;
  Verdict& verdict_;
  std::vector<TaskId> tasks_;
  std::vector<WorkflowId> workflows_;
  std::map<Key, TaskId> task_keys_;
  std::map<Key, WorkflowId> workflow_keys_;
  std::set<std::string> refused_;
  std::map<TaskId, std::uint64_t> task_versions_;
  std::map<WorkflowId, std::uint64_t> workflow_versions_;
};

}  // namespace mahavishnu::simulation
