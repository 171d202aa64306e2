#include "journal/outbox_store.h"

#include <utility>

#include "journal/memory_reader.h"
#include "journal/schema.h"

namespace mahavishnu::journal {

Status OutboxStore::open() {
  if (open_) return {};
  auto journal = Database::open(options_.directory / kJournalSchema.file, Database::Mode::ReadOnly);
  if (!journal) return fail(std::move(journal.error()));
  journal_ = std::move(*journal);
  open_ = true;
  return {};
}

Result<std::vector<domain::OutboxItem>> OutboxStore::next(std::int64_t after, int limit) {
  return read("o.seq>?1 AND o.dead=0", after, limit);
}

Result<std::optional<domain::OutboxItem>> OutboxStore::find(std::int64_t seq) {
  auto found = read("o.seq=?1", seq, 1);
  if (!found) return fail(std::move(found.error()));
  if (found->empty()) return std::nullopt;
  return std::move(found->front());
}

// The rows first, in one short read; what tasks left is looked up after it.
Result<std::vector<domain::OutboxItem>> OutboxStore::read(const char* where, std::int64_t seq,
                                                          int limit) {
  const std::lock_guard lock(mutex_);
  if (auto opened = open(); !opened) return fail(std::move(opened.error()));
  std::vector<domain::OutboxItem> rows;
  {
    auto select = journal_.lease(
        std::string("SELECT m.seq,m.id,m.time,m.tags,m.content,m.metadata,o.tries FROM outbox AS o "
                    "JOIN memories AS m ON m.seq=o.seq WHERE ") +
        where + " ORDER BY o.seq LIMIT ?2");
    if (!select) return fail(std::move(select.error()));
    Statement& row = **select;
    row.bind(1, seq);
    row.bind(2, std::int64_t{limit});
    for (;;) {
      auto more = row.step();
      if (!more) return fail(std::move(more.error()));
      if (!*more) break;
      domain::OutboxItem item{row.integer(0), static_cast<int>(row.integer(6)), {}};
      if (is_stored(row)) {
        auto stored = stored_memory(row);
        if (!stored) return fail(std::move(stored.error()));
        item.memory = std::move(*stored);
      } else {
        item.memory.task.value = row.id(1);
      }
      rows.push_back(std::move(item));
    }
  }
  std::vector<domain::OutboxItem> items;
  for (auto& item : rows) {
    if (!item.memory.task.is_null()) {
      auto left = task_memory(journal_, item.memory.task, options_.output_bytes);
      if (!left) return fail(std::move(left.error()));
      if (!*left) continue;
      item.memory = std::move(**left);
    }
    const base::Redactor& redactor = *options_.redactor;
    item.memory.title = redactor.redact(std::move(item.memory.title));
    item.memory.text = redactor.redact(std::move(item.memory.text));
    for (auto& tag : item.memory.tags) tag = redactor.redact(std::move(tag));
    for (auto& [key, value] : item.memory.metadata) value = redactor.redact(std::move(value));
    items.push_back(std::move(item));
  }
  return items;
}

Result<domain::OutboxCounts> OutboxStore::counts() {
  const std::lock_guard lock(mutex_);
  if (auto opened = open(); !opened) return fail(std::move(opened.error()));
  domain::OutboxCounts counts;
  auto all = journal_.integer("SELECT count(*) FROM outbox");
  auto dead = journal_.integer("SELECT count(*) FROM outbox WHERE dead=1");
  auto oldest = journal_.integer(
      "SELECT time FROM memories WHERE seq=(SELECT min(seq) FROM outbox WHERE dead=0)");
  if (!all || !dead || !oldest) {
    return fail(!all ? all.error() : !dead ? dead.error() : oldest.error());
  }
  counts.dead = *dead;
  counts.waiting = *all - *dead;
  if (counts.waiting > 0 && *oldest > 0) counts.oldest = base::WallTime(base::Millis(*oldest));
  return counts;
}

void OutboxStore::append(std::shared_ptr<MemoryChange> change) {
  Commit commit;
  commit.records = std::make_shared<const std::vector<domain::Record>>();
  commit.memory = change;
  std::vector<Commit> commits;
  commits.push_back(std::move(commit));
  if (writer_->append(std::move(commits)).empty()) return;
  change->done(fail(ErrorCode::Exhausted, "too many commits are waiting for the disk; try again",
                    kQueueRetryMs));
}

void OutboxStore::settle(std::vector<domain::OutboxOutcome> outcomes,
                         std::function<void(Status)> done) {
  auto change = std::make_shared<MemoryChange>();
  change->what = SettleOutbox{std::move(outcomes)};
  change->done = std::move(done);
  append(std::move(change));
}

void OutboxStore::revive(std::function<void(Status)> done) {
  auto change = std::make_shared<MemoryChange>();
  change->what = ReviveOutbox{};
  change->done = std::move(done);
  append(std::move(change));
}

void OutboxStore::on_grew(std::function<void()> told) {
  const std::lock_guard lock(told_mutex_);
  told_ = std::move(told);
}

void OutboxStore::grew() {
  const std::lock_guard lock(told_mutex_);
  if (told_) told_();
}

}  // namespace mahavishnu::journal
