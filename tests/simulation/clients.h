// The clients of a simulated server, for one life of it: they submit, cancel, wait, read, change
// pools, repeat themselves with the same key, and vanish in the middle of a call.
//
// Every call is a coroutine against the real Service; what it is told goes to the Witness. When the
// life ends in a crash the coroutines are dropped where they stand. One thread.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "control/service.h"
#include "simulation/witness.h"

namespace mahavishnu::simulation {

class Clients {
 public:
  Clients(asio::io_context& io, control::Service& service, const DiskImage& disk, Witness& witness,
          Dice& dice, Verdict& verdict, std::uint64_t& commands)
      : io_(io),
        service_(service),
        disk_(disk),
        witness_(witness),
        dice_(dice),
        verdict_(verdict),
        commands_(commands) {}

  void act();         // somebody calls
  void vanish();      // somebody hangs up
  void open_pools();  // so that nothing is kept from running for ever
  void drain(Millis grace);
  bool drained() const { return drained_; }
  std::size_t waiting() const { return calls_.size(); }

  // Everything that was to happen has happened: whoever still waits must have a reason to.
  void check_calm();

 private:
  // Tells, when all is calm, whether the call may still wait; null: it may not.
  using MayWait = std::function<bool()>;
  struct Call {
    std::string what;
    MayWait may_wait;
    asio::cancellation_signal hang_up;
  };
  using Service = control::Service;
  template <class T>
  using awaitable = control::awaitable<T>;

  void call(std::string what, awaitable<void> work, MayWait may_wait = nullptr);

  awaitable<void> submit(Service::SubmitArgs args);
  awaitable<void> submit_batch(std::vector<Result<Service::SubmitArgs>> items);
  awaitable<void> run_workflow(Service::WorkflowArgs args);
  awaitable<void> read_task(TaskId id, control::Wait wait);
  awaitable<void> read_workflow(WorkflowId id, control::Wait wait);
  awaitable<void> wait_batch(BatchId id, control::Wait wait);
  awaitable<void> list();
  awaitable<void> read_output(TaskId id, control::OutputQuery query);
  awaitable<void> cancel(Service::CancelArgs args, Millis wait);
  awaitable<void> cancel_workflow(WorkflowId id, Millis wait);
  awaitable<void> explain(TaskId id);
  awaitable<void> spawn_pool(PoolSpec spec);
  awaitable<void> scale_pool(std::string pool, std::optional<int> target,
                             std::optional<bool> paused);
  awaitable<void> close_pool(std::string pool, bool now, Millis wait);
  awaitable<void> drain_service(Millis grace);

  void told(const Result<control::Submitted>& answer, const Witness::Key& key,
            const std::string& command);
  void call_submit();
  void call_workflow();
  void call_read();
  void call_cancel();
  void call_pool();
  Service::SubmitArgs random_task();
  Service::WorkflowArgs random_workflow();
  control::Wait random_wait();
  TaskId some_task();
  MayWait until_ended(std::vector<TaskId> tasks) const;
  MayWait while_unchanged(std::function<std::uint64_t()> version) const;

  asio::io_context& io_;
  control::Service& service_;
  const DiskImage& disk_;
  Witness& witness_;
  Dice& dice_;
  Verdict& verdict_;
  std::uint64_t& commands_;  // how many were made, in all lives
  std::list<Call> calls_;
  std::vector<std::pair<BatchId, std::vector<TaskId>>> batches_;
  bool drained_ = false;
};

}  // namespace mahavishnu::simulation
