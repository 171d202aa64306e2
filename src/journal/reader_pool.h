// A few threads, each with a read-only connection, for reads that may take long.
//
// Bounded twice: the queue refuses what is beyond its size (Exhausted), and a read that has not
// answered at its limit, waiting included, ends with Deadline. Each read sees one committed state.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "journal/database.h"

namespace mahavishnu::journal {

class ReaderPool {
 public:
  // Called once: on a reader's thread with its connection, in a transaction; or with why not
  // (Deadline on a reader's thread, Exhausted on the caller's). Not called when the pool is
  // stopped.
  using Read = std::function<void(Result<Database*>)>;
  struct Counts {
    std::uint64_t reads = 0;
    std::uint64_t timeouts = 0;
    std::uint64_t refused = 0;
  };

  // One thread a connection.
  ReaderPool(std::vector<Database> connections, base::Millis limit);
  ~ReaderPool();

  void submit(Read read);
  void stop();  // interrupts what runs, drops what waits; idempotent
  Counts counts() const;

 private:
  struct Waiting {
    Read read;
    base::MonoTime deadline;
  };
  // What the progress handler looks at while a statement runs.
  struct Running {
    ReaderPool* pool;
    base::MonoTime deadline;
    bool expired = false;
  };

  void run(Database& database);
  void perform(Database& database, Waiting work, Running& running);
  static int check(void* running);

  base::Millis limit_;
  std::vector<Database> connections_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Waiting> waiting_;
  Counts counts_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;  // last: they use all of the above
};

}  // namespace mahavishnu::journal
