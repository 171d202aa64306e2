// Copies the write-ahead log back into the database, on a thread and a connection of its own, so
// that no commit waits for it.
//
// Naively SQLite does this inside the commit that crosses a threshold, which then takes a hundred
// times as long. A passive pass never makes the writer wait, but under steady load it never catches
// up with the end of the log either, so the log would grow for ever: after each pass it is
// restarted, and the writer waits for the little the pass left over. From then on the log's file is
// written over from its beginning, which costs a sync less than a file that grows. A file that has
// become large all the same (a long read was in the way) is given back to the disk.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "journal/database.h"

namespace mahavishnu::journal {

class Checkpointer {
 public:
  // `database`: a connection of its own, to a file in WAL mode.
  static Result<std::unique_ptr<Checkpointer>> open(Database database);
  ~Checkpointer();

  // After each transaction: how many pages the log now holds. Any thread.
  void committed(std::int64_t log_pages);
  // Make room now: the disk is full, and a log that was copied back can be written over.
  void hurry();
  void stop();  // idempotent

  std::uint64_t passes() const;
  std::uint64_t restarts() const;  // after which the log is written from its beginning

 private:
  explicit Checkpointer(Database database);
  void run();
  void pass(std::unique_lock<std::mutex>& lock);
  bool checkpoint(int mode);

  Database database_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::int64_t log_pages_ = 0;
  std::int64_t new_pages_ = 0;  // since the last pass
  std::uint64_t passes_ = 0;
  std::uint64_t restarts_ = 0;
  bool hurry_ = false;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::journal
