// The attempts of a simulated machine, which live on under their shims when the server dies, and
// the executor through which one life of the server sees those of one worker type.
//
// Attempts start late or never, run as long as the dice say, end as asked or otherwise; ends are
// told late, and again, also those of former lives. An attempt may die unseen while no server is
// there, or its lease may run out. What must never happen is checked where it would: two attempts
// of a task at once, a fence that does not grow, a start after the task's cancel was answered.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/asio.h"
#include "simulation/disk_image.h"

namespace mahavishnu::simulation {

class Machine {
 public:
  enum class State { Ordered, Running, Ended };
  struct Attempt {
    AttemptOrder order;
    std::string type;
    State state = State::Ordered;
    std::optional<Reason> stop;
    bool stuck = false;  // does not start, or does not end, until it is stopped
    bool dying = false;  // released while it ran
    AttemptEnded end;
  };

  Machine(const DiskImage& disk, Dice& dice, Verdict& verdict)
      : disk_(disk), dice_(dice), verdict_(verdict) {}

  int max_running = 0;  // the server's limit
  bool ending = false;  // everything is to end soon

  void order(AttemptOrder order, const std::string& type);
  void run(Attempt& attempt);
  void end(Attempt& attempt, Reason reason);
  void end_somehow(Attempt& attempt);
  void erase(Fence fence) { attempts_.erase(fence); }
  // No server for a while: `lapsed`, longer than the lease. After a power loss nothing is left.
  void while_down(bool lapsed, bool power_loss);

  std::map<Fence, Attempt>& attempts() { return attempts_; }
  bool runs(TaskId task) const;
  bool succeeded(TaskId task) const { return succeeded_.contains(task); }
  std::size_t left() const { return attempts_.size(); }

  // The cancel of this task was answered: it must not start any more.
  void cancel_answered(TaskId task) { cancelled_.insert(task); }

 private:
  void check_limits(const AttemptOrder& order, const TaskRecord& task);

  const DiskImage& disk_;
  Dice& dice_;
  Verdict& verdict_;
  std::map<Fence, Attempt> attempts_;
  std::map<TaskId, Fence> newest_;
  std::set<TaskId> cancelled_;
  std::set<TaskId> succeeded_;
  std::map<TaskId, int> runs_;         // how often its command began …
  std::map<TaskId, int> lost_unseen_;  // … and how often nobody could know of it
};

class SimulatedExecutor final : public Executor {
 public:
  SimulatedExecutor(asio::any_io_executor control, std::string type, Machine& machine, Dice& dice,
                    Verdict& verdict)
      : control_(std::move(control)),
        type_(std::move(type)),
        machine_(machine),
        dice_(dice),
        verdict_(verdict) {}

  bool act();  // one thing happens; false: there is nothing
  // Attempts the server knows to run: handed over, and their end not told.
  std::size_t open() const { return open_.size(); }
  bool recovering() const { return recovery_ != nullptr; }
  void drop_callbacks() { recovery_ = nullptr; }  // the life ends

  void subscribe(Events events) override { events_ = std::move(events); }
  void recover(std::function<void(Result<std::vector<Restored::Found>>)> answer) override {
    recovery_ = std::move(answer);
    up_ = true;
  }
  void start(AttemptOrder order) override;
  void stop(Fence fence, Reason why) override;
  void release(Fence fence) override;
  void keep_ready(PoolId, int) override {}
  void when_ready(std::function<void()> then) override { then(); }
  void read_output(Fence fence, OutputStream, std::int64_t, std::size_t,
                   std::function<void(Result<OutputChunk>)> answer) override;
  void read_spool(std::string, OutputStream, std::int64_t, std::size_t,
                  std::function<void(Result<OutputChunk>)> answer) override;

  void resident(std::vector<Fence> fences,
                std::function<void(Result<std::vector<std::int64_t>>)> answer) override;
  void examine(PoolSpec pool, StringMap env,
               std::function<void(Result<std::string>)> answer) override;

 private:
  void answer_recovery();
  bool move_on(Fence fence, Machine::Attempt& attempt);
  void tell_end(const AttemptEnded& end);

  asio::any_io_executor control_;
  std::string type_;
  Machine& machine_;
  Dice& dice_;
  Verdict& verdict_;
  Events events_;
  std::function<void(Result<std::vector<Restored::Found>>)> recovery_;
  bool up_ = false;  // recover() was called: nothing is told before
  std::set<Fence> open_;
  std::set<Fence> told_;            // whose end is on its way, or was told
  std::vector<AttemptEnded> past_;  // released: what may be told again out of turn
};

}  // namespace mahavishnu::simulation
