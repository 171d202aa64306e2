// The outbox on SQLite: rows beside the memories, written with the commit that leaves the memory.
//
// A row says no more than which memory waits, and how often it was tried; its words are read from
// the memory when it is sent. Reading needs a connection of its own, made by the first read. Made
// and ended by SqliteJournal, whose writer it uses.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>

#include "base/redactor.h"
#include "domain/outbox.h"
#include "journal/commit_thread.h"
#include "journal/database.h"

namespace mahavishnu::journal {

class OutboxStore final : public domain::Outbox {
 public:
  struct Options {
    std::filesystem::path directory;  // of journal.db, migrated
    std::shared_ptr<const base::Redactor> redactor;
    std::size_t output_bytes = 8192;  // of the end of a task's output
  };
  explicit OutboxStore(Options options) : options_(std::move(options)) {}

  void connect(CommitThread& writer) { writer_ = &writer; }  // once, before the first call
  void grew();                                               // on the writer's thread

  Result<std::vector<domain::OutboxItem>> next(std::int64_t after, int limit) override;
  Result<std::optional<domain::OutboxItem>> find(std::int64_t seq) override;
  Result<domain::OutboxCounts> counts() override;
  void settle(std::vector<domain::OutboxOutcome> outcomes,
              std::function<void(Status)> done) override;
  void revive(std::function<void(Status)> done) override;
  void on_grew(std::function<void()> told) override;

 private:
  Status open();
  Result<std::vector<domain::OutboxItem>> read(const char* where, std::int64_t seq, int limit);
  void append(std::shared_ptr<MemoryChange> change);

  const Options options_;
  CommitThread* writer_ = nullptr;
  std::mutex told_mutex_;
  std::function<void()> told_;

  std::mutex mutex_;  // of what follows: one read at a time
  Database journal_;
  bool open_ = false;
};

}  // namespace mahavishnu::journal
