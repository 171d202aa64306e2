// The history in events.db: changes of state and lines of the log, for people and log_search.
//
// It stands beside the system of record, never in its way: rows come after the commit they tell of
// is durable, wait in a bounded queue and are written in batches by a thread of its own, which also
// finds out what they belong to (the ids in a line, the pool and repository of a task). Whatever
// does not fit into the queue, or onto the disk, is dropped and counted. Rows leave when they are
// old or the file is large. Any thread may add; nothing here waits for the disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/log.h"
#include "domain/log_archive.h"
#include "domain/records.h"
#include "journal/database.h"
#include "journal/task_places.h"

namespace mahavishnu::journal {

// What a commit's records tell: the tasks of one batch or workflow admitted together are one entry,
// an attempt is told by its task's change, a workflow by its admission and its end.
void describe(std::span<const domain::Record> records, base::WallTime now,
              std::vector<domain::LogEntry>& entries);

class EventLog final : public base::LogFollower {
 public:
  struct Options {
    std::size_t max_queued = 32768;
    std::size_t max_queued_bytes = 16U << 20U;  // of texts
    base::Millis keep{std::chrono::hours(24 * 30)};
    std::int64_t max_bytes =
        256 << 20;  // of the file, but for its write-ahead log; 0: keep nothing
    std::function<base::WallTime()> now = base::wall_now;
    std::int64_t slice = 64;  // rows, and then a
    base::Millis pause{2};    // … unless somebody waits or the queue fills up
  };
  struct Counts {
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;
    std::size_t queued = 0;
    std::int64_t newest = 0;  // seq of the last row there ever was
  };

  // `database`: events.db, migrated. `journal`: a read-only connection to journal.db, or nothing:
  // then changes of tasks have no pool and no repository.
  static Result<std::unique_ptr<EventLog>> open(Database database, std::optional<Database> journal,
                                                Options options);
  ~EventLog() override;

  void add(std::vector<domain::LogEntry> entries);
  // The same for a line of the log. Lines of its own thread are left out: a warning about a disk
  // that takes nothing would be one more thing to write.
  void line(const base::LogLine& line) override;

  // Calls `then` on the writing thread once all that was added before is written or dropped; on the
  // caller's when it is stopped.
  void written(std::function<void()> then);
  // Called on the writing thread after each batch; replaces the one before.
  void on_written(std::function<void()> told);
  // How far the rows have been sent elsewhere: kept with what is written next, at the latest soon.
  void keep_sent(std::int64_t up_to);
  void stop();  // writes what is queued; idempotent
  Counts counts() const;
  bool keeps() const { return options_.max_bytes > 0; }

 private:
  EventLog(Database database, std::optional<Database> journal, Statement insert, Options options,
           std::int64_t newest);
  bool queue(domain::LogEntry entry);  // the mutex is held
  void wake(std::size_t before);       // the same; `before`: how many were queued
  bool is_urgent() const { return stopping_ || !asked_.empty(); }  // the same
  bool is_pressed() const;                                         // the same
  void run();
  void pause();
  void write_all(std::vector<domain::LogEntry>& entries);
  Status write(std::vector<domain::LogEntry>& entries);
  Status insert(std::int64_t seq, const domain::LogEntry& entry);
  void tell();
  void write_sent(std::int64_t up_to);
  void place(domain::LogEntry& entry);
  void sweep(std::size_t written);
  Result<std::int64_t> sweep_batch();

  Options options_;
  Database database_;
  Statement insert_;
  std::optional<TaskPlaces> places_;
  std::uint64_t lost_ = 0;   // since the disk takes nothing
  std::int64_t newest_ = 0;  // seq of the last row

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<domain::LogEntry> queued_;
  std::size_t queued_bytes_ = 0;
  std::vector<std::function<void()>> asked_;
  bool awaited_ = false;              // what is being written
  std::optional<std::int64_t> sent_;  // to be kept
  Counts counts_;
  bool stopping_ = false;
  bool ended_ = false;

  std::mutex told_mutex_;
  std::function<void()> told_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::journal
