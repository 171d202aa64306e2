#include "journal/checkpointer.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace mahavishnu::journal {
namespace {

constexpr std::int64_t kPassPages = 4096;             // 16 MiB, and one segment of the log's index
constexpr std::int64_t kLargePages = 4 * kPassPages;  // 64 MiB: the disk has it back
constexpr std::chrono::seconds kIdle{1};  // no commit for so long: the writer is at rest
// Most that a restart waits for the writer, and then holds it up because of those who read.
constexpr int kBusyMs = 20;
constexpr int kLargeBusyMs = 100;  // of a large log

}  // namespace

// SQLite answers a checkpoint on a connection that has never read with success and does nothing: it
// does not know of the log yet.
Result<std::unique_ptr<Checkpointer>> Checkpointer::open(Database database) {
  auto read = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!read) return fail(std::move(read.error()));
  return std::unique_ptr<Checkpointer>(new Checkpointer(std::move(database)));
}

Checkpointer::Checkpointer(Database database) : database_(std::move(database)) {
  thread_ = std::thread([this] { run(); });
}

Checkpointer::~Checkpointer() { stop(); }

void Checkpointer::committed(std::int64_t log_pages) {
  const std::lock_guard lock(mutex_);
  new_pages_ += log_pages >= log_pages_ ? log_pages - log_pages_ : log_pages;
  log_pages_ = log_pages;
  if (new_pages_ >= kPassPages) wake_.notify_one();
}

void Checkpointer::hurry() {
  const std::lock_guard lock(mutex_);
  hurry_ = true;
  wake_.notify_one();
}

void Checkpointer::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

std::uint64_t Checkpointer::passes() const {
  const std::lock_guard lock(mutex_);
  return passes_;
}

std::uint64_t Checkpointer::restarts() const {
  const std::lock_guard lock(mutex_);
  return restarts_;
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  const auto due = [this] { return stopping_ || hurry_ || new_pages_ >= kPassPages; };
  for (;;) {
    if (log_pages_ < kPassPages) {
      wake_.wait(lock, due);
    } else {
      // What could not be restarted under load is as soon as nothing is written any more.
      const auto before = new_pages_;
      if (!wake_.wait_for(lock, kIdle, due) && new_pages_ == before) hurry_ = true;
    }
    if (stopping_) return;
    if (hurry_ || new_pages_ >= kPassPages) pass(lock);
  }
}

void Checkpointer::pass(std::unique_lock<std::mutex>& lock) {
  const bool large = log_pages_ >= kLargePages;
  hurry_ = false;
  new_pages_ = 0;
  lock.unlock();
  sqlite3_busy_timeout(database_.handle(), large ? kLargeBusyMs : kBusyMs);
  const bool copied = checkpoint(SQLITE_CHECKPOINT_PASSIVE);
  const bool restarted =
      copied && checkpoint(large ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_RESTART);
  lock.lock();
  if (copied) ++passes_;
  if (!restarted) return;
  ++restarts_;
  log_pages_ = 0;
}

bool Checkpointer::checkpoint(int mode) {
  int in_log = -1;  // stays so when SQLite knows of no log
  int copied = -1;
  const int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, mode, &in_log, &copied);
  if (code == SQLITE_OK && in_log >= 0) return true;
  if (code != SQLITE_BUSY) {
    base::log()->warn("checkpoint: {}", code == SQLITE_OK ? "the journal's log is not in use"
                                                          : error_of(database_.handle()).message);
  }
  return false;
}

}  // namespace mahavishnu::journal
