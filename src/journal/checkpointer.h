// Copies the write-ahead log back into the database, on a thread and a connection of its own, so
// that no commit waits for it.
//
// Naively SQLite does this inside the commit that crosses a threshold, which then takes a hundred
// times as long. A passive pass never makes the writer wait, but under steady load it never catches
// up with the end of the log either, so the log would grow for ever: beyond a size it is restarted,
// at rest or, beyond four times that size, at once (the writer then waits for the little a passive
// pass left over).
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "journal/database.h"

namespace mahavishnu::journal {

class Checkpointer {
 public:
  explicit Checkpointer(Database database);
  ~Checkpointer();

  // After each transaction: how many pages the log now holds. Any thread.
  void committed(std::int64_t log_pages);
  // Make room now: the disk is full, and a log that was copied back can be written over.
  void hurry();
  void stop();  // idempotent

  std::uint64_t passes() const;

 private:
  void run();
  void pass(std::unique_lock<std::mutex>& lock);

  Database database_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::int64_t log_pages_ = 0;
  std::int64_t new_pages_ = 0;  // since the last pass
  std::uint64_t passes_ = 0;
  bool hurry_ = false;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::journal
