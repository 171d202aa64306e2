#include "journal/memory_writer.h"

#include <algorithm>
#include <utility>

#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

constexpr const char* kRemember = "INSERT INTO memories(seq,id,time) VALUES(?,?,?)";
constexpr const char* kStore =
    "INSERT INTO memories(seq,id,time,caller,dedup_key,tags,metadata,content) "
    "VALUES(?,?,?,?,?,?,?,?) ON CONFLICT(dedup_key) WHERE dedup_key IS NOT NULL DO NOTHING";

}  // namespace

Result<MemoryWriter> MemoryWriter::open(Database& database, bool outbox) {
  MemoryWriter writer(database, outbox);
  const std::pair<Statement*, const char*> statements[] = {
      {&writer.remember_, kRemember},
      {&writer.store_, kStore},
      {&writer.find_key_, "SELECT id FROM memories WHERE dedup_key=?"},
      {&writer.forget_, "DELETE FROM memories WHERE seq<=?"},
      {&writer.send_later_, "INSERT INTO outbox(seq) VALUES(?)"},
      {&writer.sent_, "DELETE FROM outbox WHERE seq=?"},
      {&writer.tried_, "UPDATE outbox SET tries=?2,dead=?3,error=?4 WHERE seq=?1"},
      {&writer.revive_, "UPDATE outbox SET tries=0,dead=0 WHERE dead=1"},
      {&writer.mark_, "UPDATE meta SET value=?1 WHERE key='memories_forgotten' AND value<?1"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = database.prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  if (auto read = writer.rolled_back(); !read) return fail(std::move(read.error()));
  return writer;
}

Status MemoryWriter::rolled_back() {
  auto range = memory_range(*database_);
  if (!range) return fail(std::move(range.error()));
  next_ = range->newest + 1;
  return {};
}

Status MemoryWriter::remember(domain::TaskId task, base::WallTime ended) {
  remember_.bind(1, next_);
  remember_.bind(2, task.value);
  remember_.bind(3, ended);
  if (auto done = remember_.run(); !done) return done;
  return send_later(next_++);
}

Status MemoryWriter::send_later(std::int64_t seq) {
  if (!outbox_) return {};
  send_later_.bind(1, seq);
  return send_later_.run();
}

Status MemoryWriter::apply(MemoryChange& change) {
  if (const auto* store = std::get_if<StoreMemory>(&change.what)) {
    return apply(*store, change.stored);
  }
  if (const auto* settle = std::get_if<SettleOutbox>(&change.what)) return apply(*settle);
  if (std::holds_alternative<ReviveOutbox>(change.what)) return revive_.run();
  return apply(std::get<ForgetMemories>(change.what));
}

Status MemoryWriter::apply(const StoreMemory& store, domain::StoredMemory& stored) {
  const domain::NewMemory& memory = store.memory;
  std::string tags;
  std::string metadata;
  if (!memory.tags.empty()) write_json(memory.tags, tags);
  if (!memory.metadata.empty()) write_json(memory.metadata, metadata);
  store_.bind(1, next_);
  store_.bind(2, store.id.value);
  store_.bind(3, store.now);
  store_.bind_some(4, memory.caller);
  store_.bind_some(5, memory.dedup_key);
  store_.bind_some(6, tags);
  store_.bind_some(7, metadata);
  store_.bind(8, memory.content);
  if (auto done = store_.run(); !done) return done;
  stored = {store.id, false};
  if (database_->changes() > 0) {
    return send_later(next_++);
  }
  find_key_.bind(1, memory.dedup_key);
  auto row = find_key_.step();
  if (!row) return fail(std::move(row.error()));
  stored = {{find_key_.id(0)}, true};
  find_key_.reset();
  return {};
}

Status MemoryWriter::apply(const ForgetMemories& forget) {
  forget_.bind(1, forget.up_to);
  if (auto done = forget_.run(); !done) return done;
  if (auto done =
          database_->execute("DELETE FROM outbox WHERE seq<=" + std::to_string(forget.up_to));
      !done) {
    return done;
  }
  mark_.bind(1, forget.up_to);
  return mark_.run();
}

Status MemoryWriter::apply(const SettleOutbox& settle) {
  using Kind = domain::OutboxOutcome::Kind;
  for (const auto& outcome : settle.outcomes) {
    Statement& statement = outcome.kind == Kind::Accepted ? sent_ : tried_;
    statement.bind(1, outcome.seq);
    if (outcome.kind != Kind::Accepted) {
      statement.bind(2, std::int64_t{outcome.tries});
      statement.bind(3, std::int64_t{outcome.kind == Kind::Dead});
      statement.bind_some(4, outcome.error);
    }
    if (auto done = statement.run(); !done) return done;
  }
  return {};
}

Result<MemoryRange> memory_range(Database& journal) {
  auto forgotten = journal.integer("SELECT value FROM meta WHERE key='memories_forgotten'");
  if (!forgotten) return fail(std::move(forgotten.error()));
  auto newest = journal.integer("SELECT max(seq) FROM memories");
  if (!newest) return fail(std::move(newest.error()));
  return MemoryRange{*forgotten, std::max(*newest, *forgotten)};
}

}  // namespace mahavishnu::journal
