// What is on the disk of a simulated server: tables that only whole commits change, and the rules
// of the record that must hold whatever happens (a task ends once, versions only grow).
//
// It outlives every life of the server. It keeps the real journal's rules: a change whose version
// is not newer changes nothing, an end of an attempt stays, and a snapshot holds of ended tasks
// only the small fields of their specification. One thread.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "domain/ports.h"
#include "simulation/dice.h"

namespace mahavishnu::simulation {

using namespace mahavishnu::domain;

class DiskImage {
 public:
  explicit DiskImage(Verdict& verdict) : verdict_(verdict) {}

  void apply(const std::vector<Record>& records);
  Snapshot begin_life();  // makes a new epoch

  const TaskRecord* task(TaskId id) const;
  const WorkflowRecord* workflow(WorkflowId id) const;
  const std::map<TaskId, TaskRecord>& tasks() const { return tasks_; }
  const std::map<WorkflowId, WorkflowRecord>& workflows() const { return workflows_; }
  const std::vector<TaskId>& order() const { return order_; }
  bool ended(TaskId id) const;
  Archive::Keyed by_key(const std::string& caller, const std::string& key) const;
  bool has_pool(PoolId id) const { return pools_.contains(id); }
  const PoolRecord* pool(PoolId id) const;
  std::size_t pools() const { return pools_.size(); }
  // Whether some task on it runs this command; commands are unique in a simulation.
  bool has_command(const std::string& command) const { return commands_.contains(command); }
  std::uint64_t epoch() const { return epoch_; }

 private:
  void put(const PoolPut& r) { pools_[r.pool.id] = r.pool; }
  void put(const PoolRemoved& r) { pools_.erase(r.pool); }
  void put(const TaskAdmitted& r);
  void put(const TaskChanged& r);
  void put(const AttemptPut& r);
  void put(const WorkflowAdmitted& r);
  void put(const WorkflowChanged& r);
  void claim_key(const std::string& caller, const std::string& key, TaskId task, WorkflowId flow);

  Verdict& verdict_;
  std::map<TaskId, TaskRecord> tasks_;
  std::vector<TaskId> order_;  // of admission
  std::map<WorkflowId, WorkflowRecord> workflows_;
  std::map<PoolId, PoolRecord> pools_;
  std::map<std::pair<std::string, std::string>, Archive::Keyed> keys_;
  std::map<std::string, TaskId> commands_;
  std::uint64_t epoch_ = 0;
};

}  // namespace mahavishnu::simulation
