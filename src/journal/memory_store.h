// Memories on SQLite: stored by the journal's writer, searched in the index that follows it.
//
// It brings the two together and answers on the control thread. What is stored is redacted on a
// reader's thread before the writer sees it. Made and ended by SqliteJournal, whose parts it uses.
#pragma once

#include <memory>

#include "base/redactor.h"
#include "domain/memories.h"
#include "journal/commit_thread.h"
#include "journal/delivery.h"
#include "journal/memory_index.h"
#include "journal/reader_pool.h"

namespace mahavishnu::journal {

class MemoryStore final : public domain::Memories {
 public:
  struct Options {
    MemoryIndex::Options index;
    base::Millis read_limit{5000};  // of one search
    bool enabled = true;
  };

  // With memories off only errors are answered.
  static Result<std::unique_ptr<MemoryStore>> open(std::shared_ptr<Delivery> delivery,
                                                   Options options);
  // Once, before the first call.
  void connect(CommitThread& writer, ReaderPool& readers);

  // Any thread: there are memories on disk up to this seq.
  void grew(std::int64_t newest);
  std::int64_t behind() const;
  std::int64_t count() const;
  void stop();  // before the parts it is connected to; idempotent

  void store(domain::NewMemory memory, Answer<domain::StoredMemory> answer) override;
  void search(domain::MemoryQuery query, Answer<domain::MemoriesFound> answer) override;
  std::optional<std::int64_t> count(domain::PoolId pool) const override;

 private:
  MemoryStore(std::shared_ptr<Delivery> delivery, Options options);
  template <class T>
  void reply(Answer<T> answer, Result<T> result);
  void append(std::shared_ptr<MemoryChange> change);

  std::shared_ptr<Delivery> delivery_;
  Options options_;
  base::UlidSource ids_;  // the control thread's
  CommitThread* writer_ = nullptr;
  ReaderPool* readers_ = nullptr;
  std::unique_ptr<MemoryIndex> index_;    // null: memories are off
  std::unique_ptr<ReaderPool> searches_;  // made by the first search
};

}  // namespace mahavishnu::journal
