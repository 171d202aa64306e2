// The one writer of journal.db: everything that waits becomes one transaction.
//
// A commit alone costs one fsync; under load the commits that arrive while the disk is busy share
// the next one. Where many come that nobody waits for (starts and ends of attempts), it rests
// between transactions, some milliseconds at most (docs/decisions/0082). A transaction that fails
// is taken apart and its commits are tried one by one, so that one bad commit fails alone. When the
// disk is full the ballast is given up for commits that admit no new work; until it is held again
// those that do are refused untried. Owns its thread; any thread may call append and the counters.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <thread>
#include <vector>

#include "domain/records.h"
#include "journal/audit_writer.h"
#include "journal/ballast.h"
#include "journal/checkpointer.h"
#include "journal/commit.h"
#include "journal/database.h"
#include "journal/event_log.h"
#include "journal/memory_writer.h"
#include "journal/message_writer.h"
#include "journal/record_writer.h"

namespace mahavishnu::journal {

struct Outcome {
  domain::CommitNo commit = 0;
  Status status;
};

class CommitThread {
 public:
  struct Options {
    std::filesystem::path directory;  // for messages
    std::size_t max_pending_commits = 20000;
    std::size_t max_records_per_transaction = 5000;
    std::int64_t max_pages = 0;      // 0: no limit
    std::uint64_t epoch = 0;         // transactions are numbered from here on
    std::int64_t ballast_pages = 0;  // how far max_pages is raised while the ballast is given up
    bool remember = true;            // tasks leave memories
    bool outbox = false;             // which are to be sent as well
    // Told on the writer's thread the newest memory's seq, when there are new ones on disk.
    std::function<void(std::int64_t)> remembered;
  };
  struct Counts {
    std::uint64_t commits = 0, transactions = 0, records = 0, failed = 0, refused = 0;
    std::uint64_t write_us = 0;  // in transactions altogether …
    std::uint64_t sync_us = 0;   // … and of that in COMMIT, which waits for the disk
    std::size_t pending = 0;
    bool ballast_held = false;
    bool disk_full = false;  // the last time there was no room, and there is none yet
  };
  // Called on the writer's thread with the outcomes of one group, in the order of their appending.
  using Report = std::function<void(std::vector<Outcome>)>;

  // What is referred to must outlive the thread.
  static Result<std::unique_ptr<CommitThread>> open(Database database, Ballast ballast,
                                                    Checkpointer& checkpointer, EventLog& events,
                                                    Options options, Report report);
  ~CommitThread();

  // Answers those that the full queue did not take. A change of memories, messages or the audit is
  // answered by its own `done` and reported to nobody else.
  std::vector<domain::CommitNo> append(std::vector<Commit> commits);
  void stop();  // writes what is queued, then joins; idempotent
  Counts counts() const;

  // The number of the last transaction that is durable. They grow over the file's whole life.
  std::int64_t last_transaction() const { return last_transaction_; }

 private:
  using Group = std::vector<Commit>;

  CommitThread(Database database, Ballast ballast, Checkpointer& checkpointer, EventLog& events,
               Options options, Report report);
  void run();
  void rest(std::unique_lock<std::mutex>& lock);
  Group take();
  void learn(std::size_t commits, base::MonoTime started);
  std::vector<Outcome> write(const Group& group);
  Status write_alone(const Commit& commit);
  Status transact(std::span<const Commit> commits);
  Status put(const Commit& commit, std::int64_t transaction);
  Status fill(std::span<const Commit> commits, std::int64_t transaction);
  void answer(const Group& group, std::vector<Outcome> outcomes);
  void tell(const Group& group, const std::vector<Outcome>& outcomes);
  bool admits(const Commit& commit);
  void give_up_ballast();
  void look_for_room();
  bool short_of_room() const { return full_ || !ballast_.held(); }
  Status limit_pages();
  Error full() const;
  static int log_grew(void* self, sqlite3* handle, const char* name, int pages);

  Options options_;
  Database database_;
  Ballast ballast_;
  bool full_ = false;  // something found no room
  Checkpointer& checkpointer_;
  EventLog& events_;
  Report report_;
  std::unique_ptr<MemoryWriter> memories_;  // null: tasks leave none
  std::unique_ptr<RecordWriter> writer_;
  std::unique_ptr<MessageWriter> messages_;
  std::unique_ptr<AuditWriter> audit_;
  std::int64_t told_memory_ = 0;  // the newest one `remembered` was told of
  Statement begin_, commit_;
  std::atomic<std::int64_t> last_transaction_{0};

  // The writer's own: how fast commits come (a mean), and until when it rests.
  double micros_a_commit_ = 0;
  base::MonoTime taken_ = base::mono_now();
  base::MonoTime rest_until_{};

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Commit> queue_;
  std::size_t queued_records_ = 0;
  std::size_t awaited_ = 0;       // of those queued
  std::vector<Records> refused_;  // since the last group was taken
  Counts counts_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::journal
