// The full-text index of memories: search.db, which follows journal.db on a thread of its own.
//
// Naively the index would be part of the commit that ends a task, and cost it ten times its own
// time. Here the commit appends a thin row, and this thread (niced, so that it takes what work
// leaves over) reads the rows after the last one it has seen, in batches, makes their words from
// the tasks' records, takes secrets out and indexes them. How far it came stands in the same
// transaction as what it indexed, so a crash neither skips nor doubles. The file is derived: when
// it is gone, damaged, or was made for another journal or with other patterns, it is made anew. The
// thread also lets go of memories that are too old or too many: it asks the journal's writer, and
// follows. Any thread may call what is public.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/redactor.h"
#include "domain/memories.h"
#include "journal/database.h"
#include "journal/memory_writer.h"

namespace mahavishnu::journal {

class MemoryIndex {
 public:
  struct Options {
    std::filesystem::path directory;  // of journal.db, migrated
    std::shared_ptr<const base::Redactor> redactor;
    std::size_t output_bytes = 8192;  // of the end of a task's output
    base::Millis keep{0};             // 0: for ever
    std::int64_t max_count = 0;       // 0: any number
  };
  // Asks the writer to let go of all memories up to a seq; news() when that is done.
  using Forget = std::function<void(std::int64_t up_to)>;

  // search.db is opened, or made, by start(); where that fails (a full disk) the thread tries
  // again.
  MemoryIndex(Options options, Forget forget);
  ~MemoryIndex();
  void start();  // once

  // There are memories on disk up to this seq.
  void grew(std::int64_t newest);
  // Something changed in journal.db that the thread should look at.
  void news();
  // Waits until all that was on disk at the call is indexed, or for so long; how many are not.
  std::int64_t catch_up(base::Millis at_most);

  std::int64_t behind() const;
  std::int64_t count() const;                     // memories on disk
  std::int64_t count(domain::PoolId pool) const;  // of those indexed

  // A connection to search.db that only reads. Unavailable: there is no search.db for now, and why.
  Result<Database> reader() const;
  void stop();  // after the batch at hand; idempotent

 private:
  using Counts = std::unordered_map<domain::PoolId, std::int64_t>;
  struct Batch {
    std::vector<std::pair<std::int64_t, domain::Memory>> memories;
    std::int64_t up_to = 0;  // looked at, found or not
    MemoryRange range;
  };

  Status prepare();
  Status open_index();
  Status prepare_statements();
  Result<bool> fits();
  MemoryRange range() const;
  Status make_anew();
  Status mark();
  void run();
  Result<bool> turn();
  void tell(const Error& error);
  Result<Batch> read_batch();
  Status read_rows(Batch& batch);
  Status read_tasks(Batch& batch);
  Status leave_out(std::int64_t seq, const Error& error);
  Status write(Batch batch);
  Status insert(std::int64_t seq, domain::Memory memory, Counts& counts);
  Status sweep(std::int64_t forgotten, Counts& counts);
  Status add(const Counts& counts);
  Status let_go(const MemoryRange& range);
  Result<std::int64_t> too_old(std::int64_t after);

  const Options options_;
  const Forget forget_;
  Database journal_;  // reads only
  Database index_;
  Statement next_, put_, words_, state_, count_;

  // The thread's own.
  std::int64_t swept_ = 0;
  std::int64_t asked_ = 0;  // up to where the writer was asked to let go …
  base::MonoTime asked_at_{};
  base::MonoTime looked_at_{};  // for what is too old

  mutable std::mutex mutex_;
  std::condition_variable wake_, moved_;
  MemoryRange range_;
  std::int64_t indexed_ = 0;
  Counts counts_;
  bool ready_ = false;
  std::string trouble_;  // the last one, told once; "" when there is none
  int hurry_ = 0;        // calls that wait in catch_up
  bool news_ = true;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace mahavishnu::journal
