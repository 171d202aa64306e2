// The journal's two ports over a DiskImage, for one life of a server.
//
// Commits wait in order until the dice write some of them; reports come later, reads later still,
// each on the control executor. It can be full (what admits new work is refused), broken (anything
// may fail) and refuse at its door. What it has not written when the life ends is gone. One thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "base/asio.h"
#include "simulation/disk_image.h"

namespace mahavishnu::simulation {

enum class Health { Well, Full, Broken };

class SimulatedJournal final : public Journal, public Archive {
 public:
  SimulatedJournal(asio::any_io_executor control, DiskImage& disk, Dice& dice, Verdict& verdict)
      : control_(std::move(control)), disk_(disk), dice_(dice), verdict_(verdict) {}

  Health health = Health::Well;

  // One thing happens: a group is written, reports or reads get a step further. False: nothing is
  // to be done.
  bool act();
  bool idle() const {
    return queue_.empty() && reports_.empty() && reads_.empty() && failed_.empty();
  }
  bool reading() const { return !reads_.empty(); }
  // The life ends. What was handed over is written by an orderly stop; of a crash the dice say how
  // much of it had reached the disk.
  void end(bool orderly);
  void drop_callbacks() { reads_.clear(); }

  void append(CommitNo commit, std::shared_ptr<const std::vector<Record>> records) override;
  void on_done(Done done) override { done_ = std::move(done); }
  void task(TaskId id, Answer<TaskRecord> answer) override;
  void workflow(WorkflowId id, Answer<WorkflowRecord> answer) override;
  void tasks(TaskFilter filter, Page page, Answer<Listing<TaskRecord>> answer) override;
  void workflows(WorkflowFilter filter, Page page, Answer<Listing<WorkflowRecord>> answer) override;
  void by_key(std::string caller, std::string key, Answer<Keyed> answer) override;

 private:
  struct Pending {
    CommitNo number = 0;
    std::shared_ptr<const std::vector<Record>> records;
  };
  struct Report {
    CommitNo number = 0;
    Status status;
  };
  // A read sees the disk at its first step and answers at its second.
  struct Read {
    std::function<std::function<void()>()> look;
    std::function<void()> answer;
  };

  void write();
  void report();
  void read();
  bool admits(const std::vector<Record>& records) const;
  bool fails(const Pending& commit);
  template <class T, class Look>
  void add_read(Answer<T> answer, Look look);

  asio::any_io_executor control_;
  DiskImage& disk_;
  Dice& dice_;
  Verdict& verdict_;
  Done done_;
  std::deque<Pending> queue_;
  std::deque<Report> reports_;
  std::vector<Read> reads_;
  std::set<CommitNo> failed_;  // reported as failed, to come again
  CommitNo last_ = 0;
};

}  // namespace mahavishnu::simulation
