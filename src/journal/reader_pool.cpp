#include "journal/reader_pool.h"

#include <utility>

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kMaxWaiting = 1000;
constexpr int kCheckEvery = 2000;  // SQLite's instructions between two looks at the clock
constexpr long kRetryMs = 200;

Error too_late(base::Millis limit) {
  return {ErrorCode::Deadline, "the read did not end within " + std::to_string(limit.count()) +
                                   " ms; narrow the filter or ask for a smaller page"};
}

}  // namespace

ReaderPool::ReaderPool(std::vector<Database> connections, base::Millis limit)
    : limit_(limit), connections_(std::move(connections)) {
  for (auto& connection : connections_) {
    threads_.emplace_back([this, &connection] { run(connection); });
  }
}

ReaderPool::~ReaderPool() { stop(); }

void ReaderPool::submit(Read read) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    if (waiting_.size() < kMaxWaiting) {
      waiting_.push_back({std::move(read), base::mono_now() + limit_});
      wake_.notify_one();
      return;
    }
    ++counts_.refused;
  }
  read(fail(ErrorCode::Exhausted,
            std::to_string(kMaxWaiting) + " reads of the journal are waiting; try again",
            kRetryMs));
}

void ReaderPool::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    waiting_.clear();
    wake_.notify_all();
  }
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

ReaderPool::Counts ReaderPool::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

int ReaderPool::check(void* data) {
  auto& running = *static_cast<Running*>(data);
  const bool late = base::mono_now() >= running.deadline;
  const std::lock_guard lock(running.pool->mutex_);
  // Counted before the answer is on its way; once, however many statements are interrupted.
  if (late && !std::exchange(running.expired, true)) ++running.pool->counts_.timeouts;
  return late || running.pool->stopping_ ? 1 : 0;
}

void ReaderPool::run(Database& database) {
  Running running{this, {}};
  sqlite3_progress_handler(database.handle(), kCheckEvery, check, &running);
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    Waiting work = std::move(waiting_.front());
    waiting_.pop_front();
    ++counts_.reads;
    running.deadline = work.deadline;
    running.expired = false;
    lock.unlock();
    perform(database, std::move(work), running);
    lock.lock();
  }
}

void ReaderPool::perform(Database& database, Waiting work, Running& running) {
  check(&running);
  if (running.expired) return work.read(fail(too_late(limit_)));
  if (auto begun = database.execute("BEGIN"); !begun) {
    return work.read(fail(std::move(begun.error())));
  }
  work.read(&database);
  database.roll_back();
}

}  // namespace mahavishnu::journal
