// The journal's two ports over maps in memory: commits are durable at once, late, or not at all, as
// the test says. It keeps the real one's rules: order, versions, ends that stay.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/asio.h"
#include "domain/ports.h"

namespace mahavishnu::support {

class MemoryJournal final : public domain::Journal, public domain::Archive {
 public:
  explicit MemoryJournal(asio::any_io_executor executor) : executor_(std::move(executor)) {}

  // Knobs.
  bool hold = false;                       // keep commits pending until release()
  std::optional<domain::Error> fail_with;  // every commit fails with this

  void append(domain::CommitNo commit,
              std::shared_ptr<const std::vector<domain::Record>> records) override {
    pending_.push_back({commit, std::move(records)});
    if (!hold) release();
  }
  void on_done(Done done) override { done_ = std::move(done); }

  void release() {
    while (!pending_.empty()) release_one();
  }
  void release_one() {
    auto [commit, records] = std::move(pending_.front());
    pending_.pop_front();
    domain::Status status;
    if (fail_with) {
      status = domain::fail(*fail_with);
    } else {
      for (const auto& record : *records) apply(record);
    }
    asio::post(executor_, [this, commit = commit, status] { done_(commit, status); });
  }

  void task(domain::TaskId id, Answer<domain::TaskRecord> answer) override {
    const auto found = tasks_.find(id);
    if (found == tasks_.end())
      return post(answer, domain::Result<domain::TaskRecord>(missing("task")));
    post(answer, domain::Result<domain::TaskRecord>(found->second));
  }
  void workflow(domain::WorkflowId id, Answer<domain::WorkflowRecord> answer) override {
    const auto found = workflows_.find(id);
    if (found == workflows_.end())
      return post(answer, domain::Result<domain::WorkflowRecord>(missing("workflow")));
    post(answer, domain::Result<domain::WorkflowRecord>(found->second));
  }
  void tasks(domain::TaskFilter filter, domain::Page page,
             Answer<domain::Listing<domain::TaskRecord>> answer) override {
    domain::Listing<domain::TaskRecord> listing;
    const std::size_t skip = page.cursor.empty() ? 0 : std::stoul(page.cursor);
    std::size_t seen = 0;
    for (auto it = tasks_.rbegin(); it != tasks_.rend(); ++it) {
      if (!meets(it->second, filter) || seen++ < skip) continue;
      if (listing.items.size() == static_cast<std::size_t>(page.limit)) {
        listing.next_cursor = std::to_string(seen - 1);
        break;
      }
      listing.items.push_back(it->second);
    }
    if (filter.oldest_first) std::reverse(listing.items.begin(), listing.items.end());
    post(answer, domain::Result<domain::Listing<domain::TaskRecord>>(std::move(listing)));
  }
  void workflows(domain::WorkflowFilter filter, domain::Page page,
                 Answer<domain::Listing<domain::WorkflowRecord>> answer) override {
    domain::Listing<domain::WorkflowRecord> listing;
    for (auto it = workflows_.rbegin(); it != workflows_.rend(); ++it) {
      if (filter.state && it->second.status.state != *filter.state) continue;
      if (!filter.name.empty() && it->second.spec->name != filter.name) continue;
      if (listing.items.size() == static_cast<std::size_t>(page.limit)) break;
      listing.items.push_back(it->second);
    }
    post(answer, domain::Result<domain::Listing<domain::WorkflowRecord>>(std::move(listing)));
  }
  void by_key(std::string caller, std::string key, Answer<Keyed> answer) override {
    Keyed keyed;
    const auto found = keys_.find({caller, key});
    if (found != keys_.end()) keyed = found->second;
    post(answer, domain::Result<Keyed>(keyed));
  }

  // What a next life would load.
  domain::Snapshot snapshot(std::uint64_t epoch) const {
    domain::Snapshot snapshot;
    snapshot.epoch = epoch;
    for (const auto& [id, pool] : pools_) snapshot.pools.push_back(pool);
    for (const auto& [id, workflow] : workflows_) {
      if (!domain::is_terminal(workflow.status.state)) snapshot.workflows.push_back(workflow);
    }
    for (const auto& [id, task] : tasks_) {
      const auto workflow = workflows_.find(task.workflow);
      const bool of_live =
          workflow != workflows_.end() && !domain::is_terminal(workflow->second.status.state);
      if (!domain::is_terminal(task.status.state) || of_live) snapshot.tasks.push_back(task);
    }
    return snapshot;
  }
  // Starts with what a former life had written.
  void take_over(const MemoryJournal& former) {
    pools_ = former.pools_;
    tasks_ = former.tasks_;
    workflows_ = former.workflows_;
    keys_ = former.keys_;
  }
  const std::map<domain::TaskId, domain::TaskRecord>& all_tasks() const { return tasks_; }

 private:
  struct Pending {
    domain::CommitNo commit;
    std::shared_ptr<const std::vector<domain::Record>> records;
  };

  static tl::unexpected<domain::Error> missing(const char* what) {
    return domain::fail(domain::ErrorCode::NotFound, std::string("no such ") + what);
  }

  template <class T>
  void post(Answer<T> answer, domain::Result<T> result) {
    asio::post(executor_,
               [answer = std::move(answer), result = std::move(result)] { answer(result); });
  }

  static bool meets(const domain::TaskRecord& task, const domain::TaskFilter& filter) {
    if (!filter.states.empty() && std::find(filter.states.begin(), filter.states.end(),
                                            task.status.state) == filter.states.end()) {
      return false;
    }
    if (filter.workflow && task.workflow != filter.workflow) return false;
    if (filter.batch && task.batch != filter.batch) return false;
    if (filter.pool && task.pool != filter.pool) return false;
    if (!filter.repo.empty() && task.spec->repo != filter.repo) return false;
    if (!filter.step.empty() && task.step != filter.step) return false;
    return !filter.reason || task.status.reason == *filter.reason;
  }

  void apply(const domain::Record& record) {
    std::visit([this](const auto& one) { put(one); }, record);
  }
  void put(const domain::PoolPut& record) { pools_[record.pool.id] = record.pool; }
  void put(const domain::PoolRemoved& record) { pools_.erase(record.pool); }
  void put(const domain::TaskAdmitted& record) {
    tasks_[record.task.id] = record.task;
    const auto& spec = *record.task.spec;
    if (!spec.idempotency_key.empty())
      keys_[{spec.caller, spec.idempotency_key}].task = record.task.id;
  }
  void put(const domain::TaskChanged& record) {
    const auto found = tasks_.find(record.task);
    if (found == tasks_.end()) return;
    domain::TaskRecord& task = found->second;
    if (record.status.version <= task.status.version) return;
    task.status = record.status;
    if (record.result) task.result = record.result;
  }
  void put(const domain::AttemptPut& record) {
    const auto found = tasks_.find(record.attempt.task);
    if (found == tasks_.end()) return;
    auto& attempts = found->second.attempts;
    for (auto& attempt : attempts) {
      if (attempt.number != record.attempt.number) continue;
      if (!attempt.ended) attempt = record.attempt;
      return;
    }
    attempts.push_back(record.attempt);
  }
  void put(const domain::WorkflowAdmitted& record) {
    workflows_[record.workflow.id] = record.workflow;
    const auto& spec = *record.workflow.spec;
    if (!spec.idempotency_key.empty())
      keys_[{spec.caller, spec.idempotency_key}].workflow = record.workflow.id;
  }
  void put(const domain::WorkflowChanged& record) {
    const auto found = workflows_.find(record.workflow);
    if (found == workflows_.end()) return;
    domain::WorkflowRecord& workflow = found->second;
    if (record.status.version > workflow.status.version) workflow.status = record.status;
  }

  asio::any_io_executor executor_;
  Done done_;
  std::deque<Pending> pending_;
  std::map<domain::PoolId, domain::PoolRecord> pools_;
  std::map<domain::TaskId, domain::TaskRecord> tasks_;
  std::map<domain::WorkflowId, domain::WorkflowRecord> workflows_;
  std::map<std::pair<std::string, std::string>, Keyed> keys_;
};

}  // namespace mahavishnu::support
