// The history of state changes in events.db: one row a change, for people and later tools.
//
// It stands beside the system of record, never in its way: rows come after the commit they tell of
// is durable, wait in a bounded queue and are written in batches by a thread of its own. A full
// queue drops them and counts. The newest `keep_rows` are kept. Any thread may add.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "domain/records.h"
#include "journal/database.h"

namespace mahavishnu::journal {

struct Event {
  base::WallTime time{};
  std::string kind;  // "task_running", "workflow_completed", "pool_put", …
  domain::TaskId task{};
  domain::WorkflowId workflow{};
  domain::PoolId pool{};
  const char* level = "info";
  std::string text{};
};

// What a commit's records tell: the tasks of one batch or workflow admitted together are one event,
// an attempt is told by its task's change, a workflow by its admission and its end.
void describe(std::span<const domain::Record> records, base::WallTime now,
              std::vector<Event>& events);

class EventLog {
 public:
  struct Options {
    std::size_t max_queued = 16384;
    std::int64_t keep_rows = 500000;
  };
  struct Counts {
    std::uint64_t written = 0;
    std::uint64_t dropped = 0;
  };

  // `database`: events.db, migrated.
  static Result<std::unique_ptr<EventLog>> open(Database database, Options options);
  ~EventLog();

  void add(std::vector<Event> events);
  void stop();  // writes what is queued; idempotent
  Counts counts() const;

 private:
  EventLog(Database database, Statement insert, Options options);
  void run();
  Status write(const std::vector<Event>& events);
  Status prune();

  Options options_;
  Database database_;
  Statement insert_;
  std::int64_t since_prune_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::vector<Event> queued_;
  Counts counts_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::journal
