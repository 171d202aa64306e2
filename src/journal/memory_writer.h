// Writes memories into journal.db, inside a transaction that its caller opened.
//
// The memory of a task is a thin row (its id is the task's, the rest is read from the task's record
// when it is wanted): it costs the task's commit one appended row and no search, no pattern and no
// second copy of the output. What callers store stands in its row whole, redacted before it comes
// here. `seq` only grows, over all the file's life: the full-text index follows it. One thread: the
// one that owns the connection.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <variant>
#include <vector>

#include "domain/memories.h"
#include "domain/outbox.h"
#include "journal/database.h"

namespace mahavishnu::journal {

struct StoreMemory {
  domain::MemoryId id;
  domain::NewMemory memory;
  base::WallTime now{};
};
struct ForgetMemories {
  std::int64_t up_to = 0;  // this one as well
};
struct SettleOutbox {
  std::vector<domain::OutboxOutcome> outcomes;
};
struct ReviveOutbox {};

// A change of memories that is a commit of its own.
struct MemoryChange {
  std::variant<StoreMemory, ForgetMemories, SettleOutbox, ReviveOutbox> what;
  domain::StoredMemory stored = {};  // set when it is written
  // On the writer's thread, once it is durable or refused.
  std::function<void(Status)> done = {};

  // Somebody waits for it; outcomes of sending can rest until other commits come.
  bool awaited() const { return !std::holds_alternative<SettleOutbox>(what); }
  // It frees room rather than takes some.
  bool frees() const { return !std::holds_alternative<StoreMemory>(what); }
};

class MemoryWriter {
 public:
  // `database` must outlive the writer and be migrated. With `outbox` every memory is put there
  // too.
  static Result<MemoryWriter> open(Database& database, bool outbox = false);

  // The memory of a task that ended just now.
  Status remember(domain::TaskId task, base::WallTime ended);
  Status apply(MemoryChange& change);

  // Reads again what the writer keeps in memory of the file: after a rollback.
  Status rolled_back();
  std::int64_t newest() const { return next_ - 1; }  // 0: none yet

 private:
  MemoryWriter(Database& database, bool outbox) : database_(&database), outbox_(outbox) {}
  Status send_later(std::int64_t seq);
  Status apply(const StoreMemory& store, domain::StoredMemory& stored);
  Status apply(const ForgetMemories& forget);
  Status apply(const SettleOutbox& settle);

  Database* database_;
  bool outbox_;
  Statement remember_, store_, find_key_, forget_, mark_, send_later_, sent_, tried_, revive_;
  std::int64_t next_ = 1;
};

// Where the memories of a file end on both sides: all with `forgotten` < seq <= `newest` are there.
struct MemoryRange {
  std::int64_t forgotten = 0;
  std::int64_t newest = 0;
};
Result<MemoryRange> memory_range(Database& journal);

}  // namespace mahavishnu::journal
