#include "journal/event_log.h"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <variant>

#include "base/log.h"

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kWorthWriting = 512;           // rows; fewer wait for company …
constexpr std::chrono::milliseconds kPatience{250};  // … for this long
constexpr std::int64_t kPruneEvery = 10000;

using domain::TaskState;

struct Describe {
  base::WallTime now;
  std::vector<Event>& events;
  base::Ulid group;          // of the task admitted last
  std::size_t in_group = 0;  // tasks of it so far

  void operator()(const domain::PoolPut& put) {
    Event event{now, "pool_put"};
    event.pool = put.pool.id;
    event.text = put.pool.spec.name + " is " + std::string(to_string(put.pool.state));
    events.push_back(std::move(event));
  }
  void operator()(const domain::PoolRemoved& removed) {
    Event event{now, "pool_removed"};
    event.pool = removed.pool;
    events.push_back(std::move(event));
  }
  void operator()(const domain::TaskAdmitted& admitted) {
    const auto& task = admitted.task;
    const auto owner = task.workflow ? task.workflow.value : task.batch.value;
    if (!owner.is_null() && owner == group) {
      events.back().text = std::to_string(++in_group) + " tasks";
      return;
    }
    group = owner;
    in_group = 1;
    Event event{task.created, "task_admitted", task.id, task.workflow, task.pool};
    if (!owner.is_null()) event.text = "1 task";
    events.push_back(std::move(event));
  }
  void operator()(const domain::TaskChanged& changed) {
    const auto state = changed.status.state;
    Event event{now, "task_" + std::string(to_string(state)), changed.task, changed.workflow};
    if (state == TaskState::Failed || state == TaskState::Dead) event.level = "warning";
    if (changed.result) event.text = changed.result->message;
    if (event.text.empty() && changed.status.reason != domain::Reason::None) {
      event.text = to_string(changed.status.reason);
    }
    events.push_back(std::move(event));
  }
  void operator()(const domain::AttemptPut&) {}
  void operator()(const domain::WorkflowAdmitted& admitted) {
    const auto& workflow = admitted.workflow;
    Event event{workflow.created, "workflow_admitted", {}, workflow.id};
    event.text = workflow.spec->name;
    events.push_back(std::move(event));
  }
  void operator()(const domain::WorkflowChanged& changed) {
    const auto state = changed.status.state;
    if (!is_terminal(state)) return;
    Event event{now, "workflow_" + std::string(to_string(state)), {}, changed.workflow};
    if (state == domain::WorkflowState::Failed) event.level = "warning";
    events.push_back(std::move(event));
  }
};

}  // namespace

void describe(std::span<const domain::Record> records, base::WallTime now,
              std::vector<Event>& events) {
  Describe visitor{now, events, {}, 0};
  for (const auto& record : records) {
    if (!std::holds_alternative<domain::TaskAdmitted>(record)) visitor.group = {};
    std::visit(visitor, record);
  }
}

Result<std::unique_ptr<EventLog>> EventLog::open(Database database, Options options) {
  auto insert = database.prepare(
      "INSERT INTO events(time,kind,task,workflow,pool,level,text) VALUES(?,?,?,?,?,?,?)");
  if (!insert) return fail(std::move(insert.error()));
  return std::unique_ptr<EventLog>(new EventLog(std::move(database), std::move(*insert), options));
}

EventLog::EventLog(Database database, Statement insert, Options options)
    : options_(options), database_(std::move(database)), insert_(std::move(insert)) {
  thread_ = std::thread([this] { run(); });
}

EventLog::~EventLog() { stop(); }

void EventLog::add(std::vector<Event> events) {
  if (events.empty()) return;
  const std::lock_guard lock(mutex_);
  const std::size_t before = queued_.size();
  for (auto& event : events) {
    if (queued_.size() >= options_.max_queued || stopping_) {
      ++counts_.dropped;
    } else {
      queued_.push_back(std::move(event));
    }
  }
  // Only when there is something to do: a wake-up costs more than the rows.
  const bool first = before == 0 && !queued_.empty();
  const bool enough = before < kWorthWriting && queued_.size() >= kWorthWriting;
  if (first || enough) wake_.notify_one();
}

void EventLog::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

EventLog::Counts EventLog::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void EventLog::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !queued_.empty(); });
    wake_.wait_for(lock, kPatience,
                   [this] { return stopping_ || queued_.size() >= kWorthWriting; });
    if (queued_.empty()) return;  // only when stopping
    const auto events = std::exchange(queued_, {});
    lock.unlock();
    auto written = write(events);
    if (!written) {
      database_.roll_back();
      base::log()->warn("events.db: {}; {} events are lost", written.error().message,
                        events.size());
    }
    lock.lock();
    (written ? counts_.written : counts_.dropped) += events.size();
  }
}

Status EventLog::write(const std::vector<Event>& events) {
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  for (const auto& event : events) {
    insert_.bind(1, event.time);
    insert_.bind(2, std::string_view(event.kind));
    insert_.bind_some(3, event.task.value);
    insert_.bind_some(4, event.workflow.value);
    insert_.bind_some(5, event.pool.value);
    insert_.bind(6, std::string_view(event.level));
    insert_.bind_some(7, std::string_view(event.text));
    if (auto done = insert_.run(); !done) return done;
  }
  since_prune_ += static_cast<std::int64_t>(events.size());
  if (since_prune_ >= std::min(kPruneEvery, options_.keep_rows)) {
    if (auto pruned = prune(); !pruned) return pruned;
  }
  return database_.execute("COMMIT");
}

// The oldest rows go, and their pages back to the disk.
Status EventLog::prune() {
  since_prune_ = 0;
  return database_.execute("DELETE FROM events WHERE seq<=(SELECT max(seq) FROM events)-" +
                           std::to_string(options_.keep_rows) + ";PRAGMA incremental_vacuum");
}

}  // namespace mahavishnu::journal
