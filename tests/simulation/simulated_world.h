// A world around the core: callers, a journal, executors and crashes, all by the dice of one seed.
//
// The same seed gives the same run. Every rule that is broken ends up in `broken`.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "domain/core.h"
#include "domain/retry.h"
#include "simulation/simulated_disk.h"

namespace mahavishnu::simulation {

class SimulatedWorld {
 public:
  explicit SimulatedWorld(std::uint64_t seed);

  void act();     // one random thing happens
  void finish();  // nothing new comes; everything is to end
  const std::string& broken() const { return broken_; }
  std::string story() const;  // what happened last

 private:
  struct Attempt {
    TaskId task;
    std::uint32_t number = 0;
    PoolId pool;
    std::string repo;
    bool up = false;
    Reason stop = Reason::None;
  };
  struct Commit {
    CommitNo number = 0;
    bool admission = false;
    std::vector<Record> records;
  };

  // Chance.
  std::uint64_t below(std::uint64_t n) { return dice_.draw() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class T>
  const T& any(const std::vector<T>& of) {
    return of[below(of.size())];
  }

  void step(const Event& event, const std::string& what);
  void take(Persist& effect);
  void take(Reply& effect);
  void take(StartAttempt& effect);
  void take(StopAttempt& effect);
  void take(ReleaseAttempt& effect);
  void take(WakeAt& effect) { wake_ = effect.at; }
  void take(WorkflowEnded& effect);
  void fail(const std::string& what);

  TaskSpec random_spec();
  WorkflowSpec random_workflow();
  void submit();
  void run_workflow();
  void change_pool();
  void cancel();
  void pass_time();
  void disk();
  void executors();
  void end_attempt(Fence fence);
  void crash();
  void start_life();
  void answer_due();
  PoolId some_pool();

  Chance dice_;
  base::UlidSource ids_;
  CoreOptions options_;
  std::unique_ptr<Core> core_;
  Moment now_;
  MonoTime wake_ = MonoTime::max();
  std::uint64_t epoch_ = 0;
  Ticket ticket_ = 0;
  SimulatedDisk disk_;
  std::deque<Commit> queue_;  // handed to the journal, not on disk
  CommitNo persisted_ = 0;
  std::map<Ticket, Reply> replies_;  // that wait for the disk
  std::set<Ticket> answered_;
  std::map<Fence, Attempt> alive_;
  std::vector<Fence> over_;  // whose end was reported
  std::map<TaskId, std::shared_ptr<const TaskSpec>> specs_;
  std::map<WorkflowId, int> parallel_;
  std::vector<TaskId> accepted_;  // told to a caller
  std::vector<WorkflowId> workflows_;
  std::map<TaskId, WorkflowId> flow_of_;
  Fence newest_;
  bool closing_ = false;
  std::string broken_;
  std::deque<std::string> story_;
};

}  // namespace mahavishnu::simulation
