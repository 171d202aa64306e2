// The system of record on SQLite: the journal the core writes to and the archive tools read from.
//
// Three files in one directory: journal.db, where every commit is on the disk before it is
// reported, events.db, a bounded history beside it, and search.db, the index of memories. Threads
// of its own write (one, with group commit), checkpoint (one), keep the history (one), index
// memories (one), search them (one), search the history (one) and read (`reader_threads`); every
// callback is posted to the control executor. It decides nothing: what a record means is the core's
// business. One server a directory: the lock is the caller's.
//
// Archive: a listing's items carry of their specification only repo, caller, worker type, priority
// and labels, and of a result everything but its streams and its text, except for the text's last
// 1,024 bytes of tasks that failed. `task` and `workflow` give everything.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/asio.h"
#include "base/log.h"
#include "base/redactor.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/audit.h"
#include "domain/bus_types.h"
#include "domain/event_feed.h"
#include "domain/log_archive.h"
#include "domain/memories.h"
#include "domain/outbox.h"
#include "domain/ports.h"
#include "journal/commit.h"

namespace mahavishnu::journal {

class AuditJournal;
class Checkpointer;
class CommitThread;
class Delivery;
class EventLog;
class HistoryFeed;
class MemoryStore;
class OutboxStore;
class MessageJournal;
class ReaderPool;

// What ended tasks leave to remember.
struct MemoryOptions {
  bool enabled = true;
  bool outbox = false;  // they are also kept in the outbox, until the memory server has them
  std::size_t output_bytes = 8192;                 // of the end of a task's output
  base::Millis keep{0};                            // 0: for ever
  std::int64_t max_count = 0;                      // 0: any number
  std::shared_ptr<const base::Redactor> redactor;  // null: the built-in patterns
};

struct JournalOptions {
  std::filesystem::path directory;          // the data directory; made by the caller (0700)
  std::size_t max_pending_commits = 20000;  // beyond (or ten records for each): Exhausted
  std::size_t max_records_per_transaction = 5000;
  std::uint64_t ballast_bytes = 8U << 20U;  // room kept for completions when the disk is full
  int reader_threads = 2;
  base::Millis read_limit{5000};  // of one read, waiting included; beyond: Deadline
  base::Millis history_keep{std::chrono::hours(24 * 30)};  // events.db: of each row …
  std::int64_t history_bytes = 256 << 20;                  // … and of the file; 0: no history
  // Told on the control thread how long an answer waited for it; may be empty.
  std::function<void(std::chrono::microseconds)> on_control_wait;
  MemoryOptions memory;
  std::int64_t max_pages = 0;  // PRAGMA max_page_count; 0: SQLite's own. Fills the "disk" in tests
};

class SqliteJournal final : public domain::Journal,
                            public domain::Archive,
                            public domain::LogArchive {
 public:
  struct Stats {
    std::uint64_t commits = 0;       // durable
    std::uint64_t transactions = 0;  // that made them so
    std::uint64_t records = 0;
    std::uint64_t failed = 0;       // commits reported with an error
    std::uint64_t refused = 0;      // commits the full queue did not take
    std::size_t pending = 0;        // commits waiting now
    std::uint64_t write_us = 0;     // in transactions altogether …
    std::uint64_t sync_us = 0;      // … and of that waiting for the disk
    std::uint64_t checkpoints = 0;  // passes over the write-ahead log …
    std::uint64_t restarts = 0;     // … after which it is written from its beginning again
    std::uint64_t reads = 0;
    std::uint64_t read_timeouts = 0;
    std::uint64_t reads_refused = 0;
    std::uint64_t events = 0;
    std::uint64_t events_dropped = 0;
    std::size_t events_queued = 0;
    std::int64_t memories = 0;
    std::int64_t memories_behind = 0;  // not in the index yet
    bool ballast_held = false;         // false: it was given up, new work is refused
    bool disk_full = false;            // something found no room, and there is none yet
    std::uint64_t audit_lost = 0;      // entries of the audit that did not get onto the disk
  };

  // Opens, makes or migrates both files and makes a new epoch durable; blocks. On a full disk the
  // ballast is given up for that, so that a start is still possible. Conflict: a file is newer than
  // this program or not ours; Internal: it is damaged. A file that is refused is left as it was.
  static base::Result<std::unique_ptr<SqliteJournal>> open(asio::any_io_executor control,
                                                           JournalOptions options);
  ~SqliteJournal() override;
  SqliteJournal(const SqliteJournal&) = delete;
  SqliteJournal& operator=(const SqliteJournal&) = delete;

  // Reads what is live, before the first append; blocks. Of ended tasks' specifications
  // the snapshot has only the repository; running ones have their attempts.
  base::Result<domain::Snapshot> load();

  // Writes what is pending, ends the threads. On the control thread, or when it runs no more; no
  // callback comes after it. Idempotent.
  void stop();
  Stats stats() const;

  domain::Memories& memories();
  domain::Outbox& outbox();
  domain::EventFeed& feed();  // of the history
  domain::AuditTrail& audit();
  // What the message bus writes, and what a start finds of it (before the first append; blocks).
  domain::MessageStore& messages();
  base::Result<domain::BusSnapshot> load_messages();

  void append(domain::CommitNo commit,
              std::shared_ptr<const std::vector<domain::Record>> records) override;
  void on_done(Done done) override;  // before the first append

  void task(domain::TaskId id, Answer<domain::TaskRecord> answer) override;
  void workflow(domain::WorkflowId id, Answer<domain::WorkflowRecord> answer) override;
  void tasks(domain::TaskFilter filter, domain::Page page,
             Answer<domain::Listing<domain::TaskRecord>> answer) override;
  void workflows(domain::WorkflowFilter filter, domain::Page page,
                 Answer<domain::Listing<domain::WorkflowRecord>> answer) override;
  void by_key(std::string caller, std::string key, Answer<Keyed> answer) override;

  void entries(domain::LogFilter filter, domain::Page page, Found answer) override;
  // Takes lines of the log into the history, until stop().
  base::LogFollower& follower();

 private:
  SqliteJournal(asio::any_io_executor control, JournalOptions options);
  base::Status start();
  std::vector<Commit> take_appended();
  void hand_over();
  void hand_over_soon();
  base::Status open_readers();
  base::Result<std::unique_ptr<EventLog>> open_history();
  template <class T, class Body>
  void read(ReaderPool& readers, std::function<void(base::Result<T>)> answer, Body body);

  JournalOptions options_;
  asio::any_io_executor control_;
  std::shared_ptr<Delivery> delivery_;
  std::shared_ptr<Done> done_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<EventLog> events_;
  std::unique_ptr<HistoryFeed> feed_;
  std::unique_ptr<MemoryStore> memories_;
  std::unique_ptr<OutboxStore> outbox_;
  std::unique_ptr<CommitThread> writer_;  // uses the three above
  std::unique_ptr<MessageJournal> messages_;
  std::unique_ptr<ReaderPool> readers_;
  std::unique_ptr<ReaderPool> searchers_;  // of the history: no search holds up a look at a task
  std::unique_ptr<AuditJournal> audit_;
  bool handing_over_ = false;              // is posted
  std::vector<Commit> appended_;  // in this turn of the control thread, not handed over yet
};

}  // namespace mahavishnu::journal
