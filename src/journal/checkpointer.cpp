#include "journal/checkpointer.h"

#include <chrono>
#include <utility>

#include "base/log.h"

namespace mahavishnu::journal {
namespace {

constexpr std::int64_t kPassPages = 4096;  // 16 MiB, and one segment of the log's index
constexpr std::int64_t kRestartPages = 4 * kPassPages;  // 64 MiB
constexpr std::int64_t kForcePages = 4 * kRestartPages;
constexpr std::chrono::seconds kIdle{1};  // no commit for so long: the writer is at rest
constexpr int kBusyMs = 100;              // most that a restart may hold the writer up

}  // namespace

Checkpointer::Checkpointer(Database database) : database_(std::move(database)) {
  sqlite3_busy_timeout(database_.handle(), kBusyMs);
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

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  const auto due = [this] { return stopping_ || hurry_ || new_pages_ >= kPassPages; };
  for (;;) {
    if (log_pages_ < kRestartPages) {
      wake_.wait(lock, due);
    } else {
      // A large log is restarted as soon as nothing is written any more.
      const auto before = new_pages_;
      if (!wake_.wait_for(lock, kIdle, due) && new_pages_ == before) hurry_ = true;
    }
    if (stopping_) return;
    if (hurry_ || new_pages_ >= kPassPages) pass(lock);
  }
}

void Checkpointer::pass(std::unique_lock<std::mutex>& lock) {
  const bool restart = log_pages_ >= kForcePages || (hurry_ && log_pages_ >= kRestartPages);
  hurry_ = false;
  new_pages_ = 0;
  lock.unlock();
  int in_log = 0;
  int copied = 0;
  int code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                                       &in_log, &copied);
  bool empty = false;
  if (code == SQLITE_OK && restart) {
    code = sqlite3_wal_checkpoint_v2(database_.handle(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                                     &in_log, &copied);
    empty = code == SQLITE_OK;
  }
  if (code != SQLITE_OK && code != SQLITE_BUSY) {
    base::log()->warn("checkpoint: {}", error_of(database_.handle()).message);
  }
  lock.lock();
  ++passes_;
  if (empty) log_pages_ = 0;
}

}  // namespace mahavishnu::journal
