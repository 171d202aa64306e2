#include "journal/memory_index.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "journal/memory_reader.h"
#include "journal/schema.h"
#include "journal/spec_json.h"

namespace mahavishnu::journal {
namespace {

constexpr std::int64_t kBatch = 256;
constexpr std::size_t kBatchBytes = 1U << 20U;
constexpr int kNice = 19;
// News are gathered, unless a search waits: each transaction leaves a segment of the index that has
// to be merged later, and writes beside the journal's syncs (docs/decisions/0130).
constexpr std::chrono::milliseconds kGather{1000};
constexpr std::chrono::seconds kAgain{5};       // after trouble
constexpr std::chrono::minutes kLookForOld{1};  // also when nothing is new
constexpr std::chrono::seconds kAskAgain{10};
constexpr long kSearchAgainMs = 5000;
constexpr std::int64_t kLetGo = 500;  // memories a commit

std::size_t size_of(const domain::Memory& memory) {
  return memory.title.size() + memory.text.size() + 200;
}

}  // namespace

// ── Opening ──────────────────────────────────────────────────────────────────────────────────────

MemoryIndex::MemoryIndex(Options options, Forget forget)
    : options_(std::move(options)), forget_(std::move(forget)) {}

MemoryIndex::~MemoryIndex() { stop(); }

void MemoryIndex::start() {
  if (auto prepared = prepare(); !prepared) tell(prepared.error());
  thread_ = std::thread([this] { run(); });
}

Status MemoryIndex::prepare() {
  auto journal = Database::open(options_.directory / kJournalSchema.file, Database::Mode::ReadOnly);
  if (!journal) return fail(std::move(journal.error()));
  next_ = {};
  journal_ = std::move(*journal);
  auto range = memory_range(journal_);
  if (!range) return fail(std::move(range.error()));
  {
    const std::lock_guard lock(mutex_);
    range_.newest = std::max(range_.newest, range->newest);
    range_.forgotten = range->forgotten;
  }
  if (auto opened = open_index(); !opened) return opened;
  if (auto prepared = prepare_statements(); !prepared) return prepared;
  const std::lock_guard lock(mutex_);
  ready_ = true;
  return {};
}

Status MemoryIndex::open_index() {
  auto opened = open_migrated(options_.directory, kSearchSchema, "NORMAL");
  if (!opened) {
    if (opened.error().code == ErrorCode::Exhausted) return fail(std::move(opened.error()));
    base::log()->warn("{}", opened.error().message);
    return make_anew();
  }
  index_ = std::move(*opened);
  auto fit = fits();
  if (!fit && fit.error().code == ErrorCode::Exhausted) return fail(std::move(fit.error()));
  return fit && *fit ? Status{} : make_anew();
}

Status MemoryIndex::prepare_statements() {
  const std::pair<Statement*, const char*> statements[] = {
      {&put_,
       "INSERT INTO memories(seq,id,task,pool,pool_name,repo,time,state,reason,exit_code,run_ms,"
       "tags,metadata) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&words_, "INSERT INTO words(rowid,title,text,tags) VALUES(?,?,?,?)"},
      {&state_, "INSERT OR REPLACE INTO state VALUES(?,?)"},
      {&count_,
       "INSERT INTO counts VALUES(?1,?2) ON CONFLICT(pool) DO UPDATE SET memories=memories+?2"},
  };
  for (const auto& [statement, sql] : statements) {
    auto prepared = index_.prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  auto next = journal_.prepare(std::string("SELECT ") + kMemoryColumns +
                               " FROM memories WHERE seq>? ORDER BY seq LIMIT ?");
  if (!next) return fail(std::move(next.error()));
  next_ = std::move(*next);
  return {};
}

// Whether the index follows this journal and was made as this one would be; reads where it is.
Result<bool> MemoryIndex::fits() {
  auto indexed = index_.integer("SELECT value FROM state WHERE key='indexed'");
  auto swept = index_.integer("SELECT value FROM state WHERE key='swept'");
  auto redaction = index_.integer("SELECT value FROM state WHERE key='redaction'");
  auto bytes = index_.integer("SELECT value FROM state WHERE key='output_bytes'");
  if (!indexed || !swept || !redaction || !bytes) {
    return fail(ErrorCode::Internal, "search.db does not read and is made anew");
  }
  if (*redaction == 0) {
    auto marked = mark();
    if (!marked) return fail(std::move(marked.error()));
    return true;
  }
  const MemoryRange range = this->range();
  if (*indexed > range.newest || *redaction != options_.redactor->fingerprint() ||
      *bytes != static_cast<std::int64_t>(options_.output_bytes)) {
    return false;
  }
  if (*indexed > range.forgotten) {
    auto there = journal_.prepare("SELECT id FROM memories WHERE seq=?");
    auto here = index_.prepare("SELECT id FROM memories WHERE seq=?");
    if (!there || !here) return false;
    there->bind(1, *indexed);
    here->bind(1, *indexed);
    const bool same = there->step().value_or(false) && here->step().value_or(false) &&
                      there->id(0) == here->id(0);
    if (!same) return false;
  }
  auto select = index_.prepare("SELECT pool,memories FROM counts");
  if (!select) return fail(std::move(select.error()));
  Counts counts;
  for (;;) {
    auto more = select->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) break;
    counts[domain::PoolId{select->id(0)}] = select->integer(1);
  }
  const std::lock_guard lock(mutex_);
  indexed_ = *indexed;
  swept_ = *swept;
  counts_ = std::move(counts);
  return true;
}

Status MemoryIndex::make_anew() {
  if (range().newest > 0) base::log()->info("search.db is made anew from the journal");
  index_ = {};
  {
    const std::lock_guard lock(mutex_);
    indexed_ = swept_ = 0;
    counts_.clear();
  }
  for (const char* end : {"", "-wal", "-shm"}) {
    std::error_code ignored;
    std::filesystem::remove(options_.directory / (std::string(kSearchSchema.file) + end), ignored);
  }
  auto opened = open_migrated(options_.directory, kSearchSchema, "NORMAL");
  if (!opened) return fail(std::move(opened.error()));
  index_ = std::move(*opened);
  return mark();
}

// Says in a new index with what it is made.
Status MemoryIndex::mark() {
  return index_.execute("INSERT INTO state VALUES('redaction'," +
                        std::to_string(options_.redactor->fingerprint()) + "),('output_bytes'," +
                        std::to_string(options_.output_bytes) + ")");
}

Result<Database> MemoryIndex::reader() const {
  {
    const std::lock_guard lock(mutex_);
    if (!ready_) {
      return fail(ErrorCode::Unavailable, "memories cannot be searched for now: " + trouble_,
                  kSearchAgainMs);
    }
  }
  return Database::open(options_.directory / kSearchSchema.file, Database::Mode::ReadOnly);
}

// ── What others ask ──────────────────────────────────────────────────────────────────────────────

void MemoryIndex::grew(std::int64_t newest) {
  const std::lock_guard lock(mutex_);
  range_.newest = std::max(range_.newest, newest);
  if (!std::exchange(news_, true)) wake_.notify_one();
}

void MemoryIndex::news() { grew(0); }

MemoryRange MemoryIndex::range() const {
  const std::lock_guard lock(mutex_);
  return range_;
}

std::int64_t MemoryIndex::catch_up(base::Millis at_most) {
  std::unique_lock lock(mutex_);
  const std::int64_t wanted = range_.newest;
  ++hurry_;
  wake_.notify_one();
  moved_.wait_for(lock, at_most, [&] { return stopping_ || indexed_ >= wanted; });
  --hurry_;
  return range_.newest - std::max(indexed_, range_.forgotten);
}

std::int64_t MemoryIndex::behind() const {
  const std::lock_guard lock(mutex_);
  return range_.newest - std::max(indexed_, range_.forgotten);
}

std::int64_t MemoryIndex::count() const {
  const std::lock_guard lock(mutex_);
  return range_.newest - range_.forgotten;
}

std::int64_t MemoryIndex::count(domain::PoolId pool) const {
  const std::lock_guard lock(mutex_);
  const auto at = counts_.find(pool);
  return at == counts_.end() ? 0 : at->second;
}

void MemoryIndex::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
    moved_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

// ── The thread ───────────────────────────────────────────────────────────────────────────────────

void MemoryIndex::run() {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice);
  const auto due = [this] { return stopping_ || news_; };
  const auto hurried = [this] { return stopping_ || hurry_ > 0; };
  std::unique_lock lock(mutex_);
  for (bool more_now = true;;) {
    if (!more_now) {
      wake_.wait_for(lock, kLookForOld, due);
      wake_.wait_for(lock, kGather, hurried);
    }
    if (stopping_) return;
    news_ = false;
    lock.unlock();
    const auto more = turn();
    lock.lock();
    more_now = more.value_or(false);
    if (more) {
      trouble_.clear();
      continue;
    }
    news_ = true;
    lock.unlock();
    tell(more.error());
    lock.lock();
    wake_.wait_for(lock, kAgain, [this] { return stopping_; });
  }
}

void MemoryIndex::tell(const Error& error) {
  const std::lock_guard lock(mutex_);
  if (std::exchange(trouble_, error.message) == error.message) return;
  base::log()->warn("memories are not indexed for now: {}", error.message);
}

// One batch. True: there may be more.
Result<bool> MemoryIndex::turn() {
  if (!ready_) {  // only this thread changes it
    if (auto prepared = prepare(); !prepared) return fail(std::move(prepared.error()));
  }
  auto batch = read_batch();
  if (!batch) return fail(std::move(batch.error()));
  const MemoryRange range = batch->range;
  const std::int64_t up_to = batch->up_to;
  if (up_to > indexed_ || range.forgotten > swept_) {
    if (auto written = write(std::move(*batch)); !written) {
      index_.roll_back();
      return fail(std::move(written.error()));
    }
  }
  if (auto asked = let_go(range); !asked) return fail(std::move(asked.error()));
  return up_to < range.newest || swept_ < range.forgotten;
}

// No transaction spans the reads: while work takes the cores this thread may stand still between
// any two of them, and a read that stands still keeps the journal's log from being started anew.
Result<MemoryIndex::Batch> MemoryIndex::read_batch() {
  Batch batch;
  auto range = memory_range(journal_);
  if (!range) return fail(std::move(range.error()));
  batch.range = *range;
  batch.up_to = std::max(indexed_, range->forgotten);
  auto read = read_rows(batch);
  next_.clear();
  if (read) read = read_tasks(batch);
  if (!read) return fail(std::move(read.error()));
  batch.range.newest = std::max(batch.range.newest, batch.up_to);
  return batch;
}

// The rows alone; of a task's memory no more than which task it is.
Status MemoryIndex::read_rows(Batch& batch) {
  next_.bind(1, batch.up_to);
  next_.bind(2, kBatch);
  for (std::size_t bytes = 0; bytes < kBatchBytes;) {
    auto more = next_.step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return {};
    batch.up_to = next_.integer(0);
    domain::Memory memory;
    if (!is_stored(next_)) {
      memory.task.value = next_.id(1);
    } else {
      auto stored = stored_memory(next_);
      if (!stored) {
        if (auto left_out = leave_out(batch.up_to, stored.error()); !left_out) return left_out;
        continue;
      }
      memory = std::move(*stored);
    }
    bytes += size_of(memory);
    batch.memories.emplace_back(batch.up_to, std::move(memory));
  }
  return {};
}

// One memory that does not read must not keep all later ones from being found; a journal that does
// not read at all is waited for.
Status MemoryIndex::leave_out(std::int64_t seq, const Error& error) {
  if (error.code != ErrorCode::Internal) return fail(error);
  if (auto range = memory_range(journal_); !range) return fail(std::move(range.error()));
  base::log()->warn("memory {} does not read and is not indexed: {}", seq, error.message);
  return {};
}

// What the tasks left; the batch ends where there is too much of it.
Status MemoryIndex::read_tasks(Batch& batch) {
  std::vector<std::pair<std::int64_t, domain::Memory>> memories;
  std::size_t bytes = 0;
  for (auto& [seq, memory] : batch.memories) {
    if (!memory.task.is_null()) {
      auto left = task_memory(journal_, memory.task, options_.output_bytes);
      if (!left) {
        if (auto left_out = leave_out(seq, left.error()); !left_out) return left_out;
        continue;
      }
      if (!*left) continue;
      memory = std::move(**left);
    }
    bytes += size_of(memory);
    memories.emplace_back(seq, std::move(memory));
    if (bytes < kBatchBytes) continue;
    batch.up_to = seq;
    break;
  }
  batch.memories = std::move(memories);
  return {};
}

Status MemoryIndex::write(Batch batch) {
  Counts counts;
  if (auto begun = index_.execute("BEGIN IMMEDIATE"); !begun) return begun;
  for (auto& [seq, memory] : batch.memories) {
    if (auto put = insert(seq, std::move(memory), counts); !put) return put;
  }
  const std::int64_t swept_to = std::min(batch.range.forgotten, swept_ + kLetGo);
  if (auto swept = sweep(swept_to, counts); !swept) return swept;
  if (auto added = add(counts); !added) return added;
  for (const auto& [key, value] :
       {std::pair{"indexed", batch.up_to}, std::pair{"swept", swept_to}}) {
    state_.bind(1, std::string_view(key));
    state_.bind(2, value);
    if (auto set = state_.run(); !set) return set;
  }
  if (auto committed = index_.execute("COMMIT"); !committed) return committed;
  swept_ = swept_to;
  const std::lock_guard lock(mutex_);
  indexed_ = batch.up_to;
  range_.newest = std::max(range_.newest, batch.range.newest);
  range_.forgotten = batch.range.forgotten;
  for (const auto& [pool, more] : counts) counts_[pool] += more;
  moved_.notify_all();
  return {};
}

Status MemoryIndex::insert(std::int64_t seq, domain::Memory memory, Counts& counts) {
  const base::Redactor& redactor = *options_.redactor;
  memory.title = redactor.redact(std::move(memory.title));
  memory.text = redactor.redact(std::move(memory.text));
  std::string tags = "\n";
  for (std::string& tag : memory.tags) tags += redactor.redact(std::move(tag)) + "\n";
  put_.bind(1, seq);
  put_.bind(2, memory.id.value);
  put_.bind_some(3, memory.task.value);
  put_.bind_some(4, memory.pool.value);
  put_.bind_some(5, memory.pool_name);
  put_.bind_some(6, memory.repo);
  put_.bind(7, memory.time);
  put_.bind_some(8, memory.state);
  put_.bind_some(9, memory.reason);
  put_.bind_some(10, memory.exit_code);
  put_.bind(11, memory.run_time);
  put_.bind(12, tags);
  std::string metadata;
  for (auto& [key, value] : memory.metadata) value = redactor.redact(std::move(value));
  if (!memory.metadata.empty()) write_json(memory.metadata, metadata);
  put_.bind_some(13, metadata);
  if (auto done = put_.run(); !done) return done;
  if (!memory.pool.is_null()) ++counts[memory.pool];
  tags += memory.repo + "\n" + memory.pool_name;  // so that they can be searched for as well
  for (const auto& [key, value] : memory.metadata) tags += "\n" + key + " " + value;
  words_.bind(1, seq);
  words_.bind(2, memory.title);
  words_.bind(3, memory.text);
  words_.bind(4, tags);
  return words_.run();
}

// Takes out what the journal has let go of, down to where it was swept already.
Status MemoryIndex::sweep(std::int64_t forgotten, Counts& counts) {
  if (forgotten <= swept_) return {};
  const std::string gone =
      " WHERE %>" + std::to_string(swept_) + " AND %<=" + std::to_string(forgotten);
  const auto where = [&gone](const std::string& column) {
    std::string text = gone;
    for (auto at = text.find('%'); at != std::string::npos; at = text.find('%')) {
      text.replace(at, 1, column);
    }
    return text;
  };
  auto pools = index_.prepare("SELECT pool,count(*) FROM memories" + where("seq") +
                              " AND pool IS NOT NULL GROUP BY pool");
  if (!pools) return fail(std::move(pools.error()));
  for (;;) {
    auto more = pools->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) break;
    counts[domain::PoolId{pools->id(0)}] -= pools->integer(1);
  }
  if (auto gone_words = index_.execute("DELETE FROM words" + where("rowid")); !gone_words) {
    return gone_words;
  }
  return index_.execute("DELETE FROM memories" + where("seq"));
}

Status MemoryIndex::add(const Counts& counts) {
  for (const auto& [pool, more] : counts) {
    count_.bind(1, pool.value);
    count_.bind(2, more);
    if (auto done = count_.run(); !done) return done;
  }
  return {};
}

// ── Letting go ───────────────────────────────────────────────────────────────────────────────────

// Asks for what is beyond `max_count` once it is a twentieth of it, and for what is too old every
// minute; at most kLetGo at a time, and not again before that has happened.
Status MemoryIndex::let_go(const MemoryRange& range) {
  const auto now = base::mono_now();
  if (asked_ > range.forgotten && now < asked_at_ + kAskAgain) return {};
  std::int64_t up_to = range.forgotten;
  const std::int64_t excess = range.newest - range.forgotten - options_.max_count;
  const std::int64_t step = std::clamp<std::int64_t>(options_.max_count / 20, 1, kLetGo);
  if (options_.max_count > 0 && excess >= step) up_to += std::min(excess, kLetGo);
  if (options_.keep.count() > 0 && now >= looked_at_ + kLookForOld) {
    auto old = too_old(range.forgotten);
    if (!old) return fail(std::move(old.error()));
    if (*old < range.forgotten + kLetGo) looked_at_ = now;  // that was all
    up_to = std::max(up_to, *old);
  }
  if (up_to == range.forgotten) return {};
  asked_ = up_to;
  asked_at_ = now;
  forget_(up_to);
  return {};
}

// Up to which seq all is older than `keep`; at most kLetGo of them.
Result<std::int64_t> MemoryIndex::too_old(std::int64_t after) {
  auto oldest = journal_.lease("SELECT seq,time FROM memories WHERE seq>? ORDER BY seq LIMIT " +
                               std::to_string(kLetGo));
  if (!oldest) return fail(std::move(oldest.error()));
  (*oldest)->bind(1, after);
  const auto limit = base::wall_now() - options_.keep;
  for (;;) {
    auto more = (*oldest)->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more || (*oldest)->time(1) >= limit) return after;
    after = (*oldest)->integer(0);
  }
}

}  // namespace mahavishnu::journal
