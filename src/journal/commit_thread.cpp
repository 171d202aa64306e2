#include "journal/commit_thread.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

#include "base/log.h"

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kRecordsAPending = 10;  // the queue's bound in records, a commit of its bound
constexpr std::chrono::seconds kBallastEvery{1};
constexpr unsigned kEpochShift = 32;

// Of commits nobody waits for a transaction is worth its fsync when it is some of them.
constexpr double kWorthIt = 6;
constexpr int kRestFor = 4;  // times as long as the transaction took
constexpr std::chrono::microseconds kLongestRest{5000};
constexpr double kNewest = 0.3;  // the newest group's part in the mean

// Attempts that start and end, and what follows for tasks and workflows. Whoever called for a
// change of another kind waits for its answer.
bool awaited(const domain::Record& record) {
  return !std::holds_alternative<domain::TaskChanged>(record) &&
         !std::holds_alternative<domain::AttemptPut>(record) &&
         !std::holds_alternative<domain::WorkflowChanged>(record);
}

std::uint64_t micros_since(base::MonoTime start) {
  return static_cast<std::uint64_t>((base::mono_now() - start).count());
}

}  // namespace

Result<std::unique_ptr<CommitThread>> CommitThread::open(Database database, Ballast ballast,
                                                         Checkpointer& checkpointer,
                                                         EventLog& events, Options options,
                                                         Report report) {
  std::unique_ptr<CommitThread> thread(new CommitThread(std::move(database), std::move(ballast),
                                                        checkpointer, events, std::move(options),
                                                        std::move(report)));
  if (thread->options_.remember) {
    auto memories = MemoryWriter::open(thread->database_, thread->options_.outbox);
    if (!memories) return fail(std::move(memories.error()));
    thread->memories_ = std::make_unique<MemoryWriter>(std::move(*memories));
    thread->told_memory_ = thread->memories_->newest();
  }
  auto writer = RecordWriter::open(thread->database_, thread->memories_.get());
  if (!writer) return fail(std::move(writer.error()));
  thread->writer_ = std::make_unique<RecordWriter>(std::move(*writer));
  auto messages = MessageWriter::open(thread->database_);
  if (!messages) return fail(std::move(messages.error()));
  thread->messages_ = std::make_unique<MessageWriter>(std::move(*messages));
  auto audit = AuditWriter::open(thread->database_);
  if (!audit) return fail(std::move(audit.error()));
  thread->audit_ = std::make_unique<AuditWriter>(std::move(*audit));
  for (auto [statement, sql] :
       {std::pair{&thread->begin_, "BEGIN IMMEDIATE"}, std::pair{&thread->commit_, "COMMIT"}}) {
    auto prepared = thread->database_.prepare(sql);
    if (!prepared) return fail(std::move(prepared.error()));
    *statement = std::move(*prepared);
  }
  if (auto limited = thread->limit_pages(); !limited) return fail(std::move(limited.error()));
  auto unset = thread->database_.execute("PRAGMA wal_autocheckpoint=0");
  if (!unset) return fail(std::move(unset.error()));
  sqlite3_wal_hook(thread->database_.handle(), log_grew, &checkpointer);
  thread->thread_ = std::thread([raw = thread.get()] { raw->run(); });
  return thread;
}

CommitThread::CommitThread(Database database, Ballast ballast, Checkpointer& checkpointer,
                           EventLog& events, Options options, Report report)
    : options_(std::move(options)),
      database_(std::move(database)),
      ballast_(std::move(ballast)),
      checkpointer_(checkpointer),
      events_(events),
      report_(std::move(report)) {
  counts_.ballast_held = ballast_.held();
  counts_.disk_full = short_of_room();
  last_transaction_ = static_cast<std::int64_t>(options_.epoch << kEpochShift);
}

CommitThread::~CommitThread() { stop(); }

std::vector<domain::CommitNo> CommitThread::append(std::vector<Commit> commits) {
  std::vector<domain::CommitNo> refused;
  const std::lock_guard lock(mutex_);
  const bool idle = queue_.empty();
  const std::size_t awaited_before = awaited_;
  for (Commit& commit : commits) {
    // A commit may hold any number of records: the queue is bounded by both, but takes any one
    // commit.
    const std::size_t more = commit.records->size();
    if (queue_.size() >= options_.max_pending_commits ||
        (!queue_.empty() &&
         queued_records_ + more > options_.max_pending_commits * kRecordsAPending)) {
      ++counts_.refused;
      if (commit.audit) {
        commit.audit->done(fail(ErrorCode::Exhausted, "too many commits are waiting for the disk"));
        continue;
      }
      refused.push_back(commit.number);
      refused_.push_back(std::move(commit.records));
      continue;
    }
    queued_records_ += more;
    commit.awaited = (commit.memory && commit.memory->awaited()) || commit.message ||
                     (commit.audit && commit.audit->awaited) ||
                     std::any_of(commit.records->begin(), commit.records->end(), awaited);
    if (commit.awaited) ++awaited_;
    queue_.push_back(std::move(commit));
  }
  const bool hurry = awaited_before == 0 && awaited_ > 0;
  if ((idle && !queue_.empty()) || hurry) wake_.notify_one();
  return refused;
}

void CommitThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

CommitThread::Counts CommitThread::counts() const {
  const std::lock_guard lock(mutex_);
  Counts counts = counts_;
  counts.pending = queue_.size();
  return counts;
}

// Called on this thread, after a transaction has become durable.
int CommitThread::log_grew(void* checkpointer, sqlite3*, const char*, int pages) {
  static_cast<Checkpointer*>(checkpointer)->committed(pages);
  return SQLITE_OK;
}

void CommitThread::run() {
  const auto due = [this] { return stopping_ || !queue_.empty(); };
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!short_of_room()) {
      wake_.wait(lock, due);
    } else if (!wake_.wait_for(lock, kBallastEvery, due)) {
      lock.unlock();
      look_for_room();
      lock.lock();
      continue;
    }
    if (queue_.empty()) return;  // only when stopping
    rest(lock);
    const Group group = take();
    const auto refused = std::exchange(refused_, {});
    lock.unlock();
    for (const Records& records : refused) writer_->refused(*records);
    const auto started = base::mono_now();
    if (short_of_room()) look_for_room();
    const auto outcomes = write(group);
    learn(group.size(), started);
    answer(group, outcomes);
    tell(group, outcomes);
    lock.lock();
  }
}

// While nobody waits for what is queued, and more of it will come by then.
void CommitThread::rest(std::unique_lock<std::mutex>& lock) {
  const auto left = rest_until_ - base::mono_now();
  if (static_cast<double>(left.count()) < kWorthIt * micros_a_commit_) return;
  wake_.wait_for(lock, left, [this] { return stopping_ || awaited_ > 0; });
}

void CommitThread::learn(std::size_t commits, base::MonoTime started) {
  const auto since = static_cast<double>((started - taken_).count());
  micros_a_commit_ += kNewest * (since / static_cast<double>(commits) - micros_a_commit_);
  taken_ = started;
  const auto now = base::mono_now();
  rest_until_ = now + std::min<base::MonoTime::duration>((now - started) * kRestFor, kLongestRest);
}

// What waits, up to the bound of one transaction; one commit is never divided.
CommitThread::Group CommitThread::take() {
  Group group;
  std::size_t records = 0;
  while (!queue_.empty()) {
    const std::size_t more = queue_.front().records->size();
    if (!group.empty() && records + more > options_.max_records_per_transaction) break;
    records += more;
    queued_records_ -= more;
    if (queue_.front().awaited) --awaited_;
    group.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
  return group;
}

std::vector<Outcome> CommitThread::write(const Group& group) {
  const auto start = base::mono_now();
  std::vector<Outcome> outcomes;
  outcomes.reserve(group.size());
  const bool together = ballast_.held() && transact(group).has_value();
  for (const auto& commit : group) {
    outcomes.push_back({commit.number, together ? Status{} : write_alone(commit)});
    if (!outcomes.back().status) writer_->refused(*commit.records);
  }
  const std::lock_guard lock(mutex_);
  counts_.write_us += micros_since(start);
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (outcomes[i].status) {
      ++counts_.commits;
      counts_.records += group[i].records->size();
    } else {
      ++counts_.failed;
      full_ |= outcomes[i].status.error().code == ErrorCode::Exhausted;
    }
  }
  counts_.ballast_held = ballast_.held();
  counts_.disk_full = short_of_room();
  return outcomes;
}

Status CommitThread::write_alone(const Commit& commit) {
  const bool new_work = admits(commit);
  if (new_work && !ballast_.held()) return fail(full());
  auto done = transact({&commit, 1});
  if (done || done.error().code != ErrorCode::Exhausted || new_work || !ballast_.held())
    return done;
  give_up_ballast();
  return transact({&commit, 1});
}

Status CommitThread::transact(std::span<const Commit> commits) {
  const std::int64_t transaction = last_transaction_ + 1;
  auto done = fill(commits, transaction);
  if (!done) {
    database_.roll_back();
    if (auto read = writer_->rolled_back(); !read) return read;
    if (memories_) {
      if (auto read = memories_->rolled_back(); !read) return read;
    }
    return done;
  }
  last_transaction_ = transaction;
  return done;
}

Status CommitThread::put(const Commit& commit, std::int64_t transaction) {
  if (commit.memory) return memories_->apply(*commit.memory);
  if (commit.message) return messages_->apply(commit.message->what);
  if (commit.audit) return audit_->apply(commit.audit->what);
  return writer_->write(*commit.records, transaction);
}

Status CommitThread::fill(std::span<const Commit> commits, std::int64_t transaction) {
  if (auto begun = begin_.run(); !begun) return begun;
  for (const auto& commit : commits) {
    if (auto written = put(commit, transaction); !written) return written;
  }
  const auto start = base::mono_now();
  auto committed = commit_.run();
  const std::lock_guard lock(mutex_);
  counts_.sync_us += micros_since(start);
  if (committed) ++counts_.transactions;
  return committed;
}

// Whoever hears that a task has ended can search for what it left.
void CommitThread::answer(const Group& group, std::vector<Outcome> outcomes) {
  if (memories_ && memories_->newest() != told_memory_) {
    told_memory_ = memories_->newest();
    if (options_.remembered) options_.remembered(told_memory_);
  }
  std::size_t at = 0;
  for (const auto& commit : group) {
    if (commit.memory) commit.memory->done(outcomes[at].status);
    if (commit.message) commit.message->done(outcomes[at].status);
    if (commit.audit) commit.audit->done(outcomes[at].status);
    ++at;
  }
  at = 0;
  std::erase_if(outcomes, [&](const Outcome&) {
    const Commit& commit = group[at++];
    return commit.memory != nullptr || commit.message != nullptr || commit.audit != nullptr;
  });
  if (!outcomes.empty()) report_(std::move(outcomes));
}

void CommitThread::tell(const Group& group, const std::vector<Outcome>& outcomes) {
  std::vector<domain::LogEntry> events;
  const auto now = base::wall_now();
  for (std::size_t i = 0; i < group.size(); ++i) {
    if (outcomes[i].status) describe(*group[i].records, now, events);
  }
  events_.add(std::move(events));
}

// Does it take on new work? Asked only when the disk is full or a transaction has failed.
bool CommitThread::admits(const Commit& commit) {
  if (commit.memory) return !commit.memory->frees();
  if (commit.message) return commit.message->admits();
  if (commit.audit) return commit.audit->admits();
  return std::any_of(commit.records->begin(), commit.records->end(), [this](const auto& record) {
    const auto* pool = std::get_if<domain::PoolPut>(&record);
    if (pool == nullptr) {
      return std::holds_alternative<domain::TaskAdmitted>(record) ||
             std::holds_alternative<domain::WorkflowAdmitted>(record);
    }
    auto known = database_.prepare("SELECT 1 FROM pools WHERE id=?");
    if (!known) return true;
    known->bind(1, pool->pool.id.value);
    return !known->step().value_or(false);
  });
}

void CommitThread::give_up_ballast() {
  base::log()->warn("{}; its ballast is given up so that running work can end", full().message);
  ballast_.release();
  checkpointer_.hurry();
  if (auto limited = limit_pages(); !limited) base::log()->warn("{}", limited.error().message);
}

void CommitThread::look_for_room() {
  if (options_.max_pages > 0) {
    auto used = database_.integer(
        "SELECT page_count-freelist_count FROM pragma_page_count, pragma_freelist_count");
    if (!used || *used >= options_.max_pages) return;
  }
  if (!ballast_.held()) {
    ballast_.restore();
    if (!ballast_.held()) return;
    if (auto limited = limit_pages(); !limited) base::log()->warn("{}", limited.error().message);
  }
  full_ = full_ && !ballast_.has_room();
  if (!full_) base::log()->info("there is room again under {}", options_.directory.string());
  const std::lock_guard lock(mutex_);
  counts_.ballast_held = true;
  counts_.disk_full = full_;
}

// With a limit on pages (a disk in tests) the ballast is room above the limit.
Status CommitThread::limit_pages() {
  if (options_.max_pages == 0) return {};
  const auto pages = options_.max_pages + (ballast_.held() ? 0 : options_.ballast_pages);
  return database_.execute("PRAGMA max_page_count=" + std::to_string(pages));
}

Error CommitThread::full() const {
  return {ErrorCode::Exhausted,
          "the disk under " + options_.directory.string() +
              " is full; no new work is taken until space is freed there",
          kFullRetryMs};
}

}  // namespace mahavishnu::journal
