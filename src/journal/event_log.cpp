#include "journal/event_log.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "journal/event_text.h"

namespace mahavishnu::journal {
namespace {

constexpr const char* kLine = "log";                 // the kind of a line
constexpr const char* kAdmitted = "task_admitted";   // … of a task's first entry
constexpr std::size_t kWorthWriting = 4096;          // rows; fewer wait for company …
constexpr std::chrono::milliseconds kPatience{250};  // … for this long
constexpr std::chrono::minutes kSweepEvery{1};       // when nothing happens
constexpr int kNice = 10;                            // whoever waits for an answer goes first
constexpr std::size_t kPressing = 4;                 // a queue this part full is not kept waiting
constexpr std::int64_t kSweepRows = 1000;            // in one transaction
constexpr std::size_t kSweepsAPass = 64;
constexpr std::int64_t kLeastSpare = 16;  // pages

// So that the writing thread does not write about itself.
thread_local bool is_writer = false;

using domain::LogEntry;
using domain::LogLevel;
using domain::TaskState;

struct Describe {
  base::WallTime now;
  std::vector<LogEntry>& entries;
  base::Ulid group;          // of the task admitted last
  std::size_t in_group = 0;  // tasks of it so far

  void operator()(const domain::PoolPut& put) {
    LogEntry entry{now, "pool_put"};
    entry.pool = put.pool.id;
    entry.text = put.pool.spec.name + " is " + std::string(to_string(put.pool.state));
    entries.push_back(std::move(entry));
  }
  void operator()(const domain::PoolRemoved& removed) {
    LogEntry entry{now, "pool_removed"};
    entry.pool = removed.pool;
    entries.push_back(std::move(entry));
  }
  void operator()(const domain::TaskAdmitted& admitted) {
    const auto& task = admitted.task;
    const auto owner = task.workflow ? task.workflow.value : task.batch.value;
    if (!owner.is_null() && owner == group) {
      return widen(entries.back(), task);
    }
    group = owner;
    in_group = 1;
    LogEntry entry{task.created, kAdmitted, task.id, task.workflow, task.pool};
    if (!owner.is_null()) entry.text = "1 task";
    entry.repo = task.spec->repo;
    entries.push_back(std::move(entry));
  }
  // One more task of the group: the entry is about what all of them share.
  void widen(LogEntry& entry, const domain::TaskRecord& task) {
    entry.text = std::to_string(++in_group) + " tasks";
    entry.task = {};
    if (entry.pool != task.pool) entry.pool = {};
    if (entry.repo != task.spec->repo) entry.repo.clear();
  }
  void operator()(const domain::TaskChanged& changed) {
    const auto state = changed.status.state;
    LogEntry entry{now, "task_" + std::string(to_string(state)), changed.task, changed.workflow};
    if (state == TaskState::Failed || state == TaskState::Dead) entry.level = LogLevel::Warn;
    if (changed.result) entry.text = changed.result->message;
    if (entry.text.empty() && changed.status.reason != domain::Reason::None) {
      entry.text = to_string(changed.status.reason);
    }
    entries.push_back(std::move(entry));
  }
  void operator()(const domain::AttemptPut&) {}
  void operator()(const domain::WorkflowAdmitted& admitted) {
    const auto& workflow = admitted.workflow;
    LogEntry entry{workflow.created, "workflow_admitted", {}, workflow.id};
    entry.text = workflow.spec->name;
    entries.push_back(std::move(entry));
  }
  void operator()(const domain::WorkflowChanged& changed) {
    const auto state = changed.status.state;
    if (!is_terminal(state)) return;
    LogEntry entry{now, "workflow_" + std::string(to_string(state)), {}, changed.workflow};
    if (state == domain::WorkflowState::Failed) entry.level = LogLevel::Warn;
    entries.push_back(std::move(entry));
  }
};

}  // namespace

void describe(std::span<const domain::Record> records, base::WallTime now,
              std::vector<LogEntry>& entries) {
  Describe visitor{now, entries, {}, 0};
  for (const auto& record : records) {
    if (!std::holds_alternative<domain::TaskAdmitted>(record)) visitor.group = {};
    std::visit(visitor, record);
  }
}

Result<std::unique_ptr<EventLog>> EventLog::open(Database database, std::optional<Database> journal,
                                                 Options options) {
  auto insert = database.prepare(
      "INSERT INTO events(time,kind,task,workflow,pool,severity,text,repo,seq) "
      "VALUES(?,?,?,?,?,?,?,?,?)");
  if (!insert) return fail(std::move(insert.error()));
  auto newest = database.integer(
      "SELECT max(coalesce((SELECT max(seq) FROM events),0),(SELECT newest FROM feed))");
  if (!newest) return fail(std::move(newest.error()));
  return std::unique_ptr<EventLog>(new EventLog(std::move(database), std::move(journal),
                                                std::move(*insert), std::move(options), *newest));
}

EventLog::EventLog(Database database, std::optional<Database> journal, Statement insert,
                   Options options, std::int64_t newest)
    : options_(std::move(options)),
      database_(std::move(database)),
      insert_(std::move(insert)),
      newest_(newest) {
  counts_.newest = newest;
  if (journal) places_.emplace(std::move(*journal));
  thread_ = std::thread([this] { run(); });
}

EventLog::~EventLog() { stop(); }

bool EventLog::queue(LogEntry entry) {
  const std::size_t bytes = entry.text.size();
  if (stopping_ || queued_.size() >= options_.max_queued ||
      queued_bytes_ + bytes > options_.max_queued_bytes) {
    ++counts_.dropped;
    return false;
  }
  queued_bytes_ += bytes;
  queued_.push_back(std::move(entry));
  return true;
}

// Only when there is something to do: a wake-up costs more than the rows.
void EventLog::wake(std::size_t before) {
  const bool first = before == 0 && !queued_.empty();
  const bool enough = before < kWorthWriting && queued_.size() >= kWorthWriting;
  if (first || enough || is_pressed()) wake_.notify_one();
}

// It is filling faster than rows are written with pauses. The mutex is held.
bool EventLog::is_pressed() const {
  return queued_.size() > options_.max_queued / kPressing ||
         queued_bytes_ > options_.max_queued_bytes / kPressing;
}

void EventLog::add(std::vector<LogEntry> entries) {
  if (entries.empty() || !keeps()) return;
  const std::lock_guard lock(mutex_);
  const std::size_t before = queued_.size();
  for (auto& entry : entries) queue(std::move(entry));
  wake(before);
}

void EventLog::line(const base::LogLine& line) {
  if (is_writer || !keeps()) return;
  LogEntry entry{line.time, kLine};
  entry.level = std::min(static_cast<LogLevel>(line.level), LogLevel::Error);
  entry.text = line.text;
  const std::lock_guard lock(mutex_);
  const std::size_t before = queued_.size();
  if (queue(std::move(entry))) wake(before);
}

void EventLog::written(std::function<void()> then) {
  {
    const std::lock_guard lock(mutex_);
    if (!ended_) {
      asked_.push_back(std::move(then));
      wake_.notify_one();
      return;
    }
  }
  then();
}

void EventLog::on_written(std::function<void()> told) {
  const std::lock_guard lock(told_mutex_);
  told_ = std::move(told);
}

void EventLog::tell() {
  const std::lock_guard lock(told_mutex_);
  if (told_) told_();
}

void EventLog::keep_sent(std::int64_t up_to) {
  const std::lock_guard lock(mutex_);
  if (!std::exchange(sent_, up_to)) wake_.notify_one();
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
  Counts counts = counts_;
  counts.queued = queued_.size();
  return counts;
}

void EventLog::run() {
  is_writer = true;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  const auto urgent = [this] { return is_urgent(); };
  std::vector<LogEntry> entries;  // takes turns with the queue: both keep their room
  std::unique_lock lock(mutex_);
  while (!ended_) {
    wake_.wait_for(lock, kSweepEvery, [&] { return urgent() || !queued_.empty() || sent_; });
    if (!queued_.empty() || sent_) {
      wake_.wait_for(lock, kPatience, [&] { return urgent() || queued_.size() >= kWorthWriting; });
    }
    entries.swap(queued_);
    queued_bytes_ = 0;
    const auto asked = std::exchange(asked_, {});
    awaited_ = !asked.empty();
    const auto sent = std::exchange(sent_, std::nullopt);
    ended_ = stopping_;
    lock.unlock();
    write_all(entries);
    if (sent) write_sent(*sent);
    sweep(entries.size());
    entries.clear();
    for (const auto& then : asked) then();
    lock.lock();
  }
  places_.reset();  // not the last to close journal.db: who only reads cannot empty its log
}

void EventLog::write_all(std::vector<LogEntry>& entries) {
  if (entries.empty()) return;
  const auto written = write(entries);
  if (!written) {
    database_.roll_back();
    if (lost_ == 0) {
      base::log()->warn("events.db: {}; the history misses what happens until that is mended",
                        written.error().message);
    }
    lost_ += entries.size();
  } else if (lost_ > 0) {
    base::log()->info("events.db is written again; the history misses {} entries", lost_);
    lost_ = 0;
  }
  {
    const std::lock_guard lock(mutex_);
    (written ? counts_.written : counts_.dropped) += entries.size();
    counts_.newest = newest_;
  }
  if (written) tell();
}

// What a full disk does not take is not missed: the same is sent again and known there.
void EventLog::write_sent(std::int64_t up_to) {
  auto done = database_.execute("UPDATE feed SET sent=" + std::to_string(up_to));
  if (!done) database_.roll_back();
}

Status EventLog::write(std::vector<LogEntry>& entries) {
  if (auto begun = database_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  std::int64_t seq = newest_;
  for (auto& entry : entries) {
    place(entry);
    if (auto done = insert(++seq, entry); !done) return done;
    if ((seq - newest_) % options_.slice == 0) pause();
  }
  auto done = database_.execute("COMMIT");
  if (done) newest_ = seq;
  return done;
}

// Thousands of rows at once would take a core from those who wait for an answer for many
// milliseconds, niced or not; so they are written in slices. Nobody else writes this file.
void EventLog::pause() {
  std::unique_lock lock(mutex_);
  wake_.wait_for(lock, options_.pause, [this] { return awaited_ || is_urgent() || is_pressed(); });
}

Status EventLog::insert(std::int64_t seq, const LogEntry& entry) {
  insert_.bind(1, entry.time);
  insert_.bind(2, std::string_view(entry.kind));
  insert_.bind_some(3, entry.task.value);
  insert_.bind_some(4, entry.workflow.value);
  insert_.bind_some(5, entry.pool.value);
  insert_.bind(6, static_cast<std::int64_t>(entry.level));
  insert_.bind_some(7, std::string_view(entry.text));
  insert_.bind_some(8, std::string_view(entry.repo));
  insert_.bind(9, seq);
  return insert_.run();
}

void EventLog::place(LogEntry& entry) {
  if (entry.kind == kLine) find_ids(entry);
  if (!places_ || !entry.task) return;
  if (entry.kind == kAdmitted) {
    return places_->learn(entry.task, {entry.pool, entry.workflow, entry.repo});
  }
  if (entry.pool && !entry.repo.empty()) return;
  auto place = places_->of(entry.task);
  if (!entry.pool) entry.pool = place.pool;
  if (!entry.workflow) entry.workflow = place.workflow;
  if (entry.repo.empty()) entry.repo = std::move(place.repo);
}

// What is too old goes, and the oldest while the file is too large: in small transactions, so that
// readers and the disk are never busy with it for long, and rather more of them than came in.
void EventLog::sweep(std::size_t written) {
  const std::size_t most = std::min(kSweepsAPass, 1 + 2 * written / kSweepRows);
  for (std::size_t batch = 0; batch < most; ++batch) {
    if (sweep_batch().value_or(0) == 0) return;
    pause();
  }
}

// How many rows went. Pages that become free are used again; the disk gets back what is more than
// a sixteenth of the file. That much is always left free below the bound, so that a batch fits.
Result<std::int64_t> EventLog::sweep_batch() {
  const auto size = database_.integer("PRAGMA page_size").value_or(4096);
  const auto pages = database_.integer("PRAGMA page_count").value_or(0);
  const auto unused = database_.integer("PRAGMA freelist_count").value_or(0);
  const auto most = options_.max_bytes / size;
  const auto spare = std::min(most / 2, std::max(kLeastSpare, most / 16));
  const bool too_large = pages - unused > most - spare;
  const std::string limit = " LIMIT " + std::to_string(kSweepRows) + ")";
  const std::string which =
      too_large ? "SELECT seq FROM events ORDER BY seq" + limit
                : "SELECT seq FROM events INDEXED BY events_time WHERE time<" +
                      std::to_string((options_.now() - options_.keep).time_since_epoch().count()) +
                      " ORDER BY time" + limit;
  // Rows and what is known of them when they are gone leave and stand together.
  auto done = database_.execute("BEGIN IMMEDIATE;DELETE FROM events WHERE seq IN (" + which);
  const auto gone = done ? database_.changes() : 0;
  if (done && gone > 0) {
    done = database_.execute("UPDATE feed SET newest=" + std::to_string(newest_));
  }
  if (done) done = database_.execute("COMMIT");
  if (!done) {
    database_.roll_back();
    return fail(std::move(done.error()));
  }
  if (unused > spare) {
    auto shrunk = database_.execute("PRAGMA incremental_vacuum(" +
                                    std::to_string(std::min(unused, 2 * kSweepRows)) + ")");
    if (!shrunk) return fail(std::move(shrunk.error()));
  }
  return gone;
}

}  // namespace mahavishnu::journal
