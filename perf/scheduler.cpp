// What a task costs the core alone: admitted, placed on a worker, finished and forgotten, with
// every limit and the aging on, no disk and a clock of its own. Beside it the naive way: a scan of
// all pools for the least loaded, with nothing else that a scheduler has to do.
//
// usage: scheduler core|scan POOLS TASKS BATCH LIVE
//
// Every pool has four workers and on average six live tasks, so that half of the placements come
// from a queue. A round submits BATCH tasks, says that the disk has them, and then ends as many of
// those that run, by chance: what a busy server's core sees between two commits of its journal.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "domain/core.h"

namespace {

using namespace mahavishnu;

// What one core spent on it. There is nothing to wait for here, and neighbours do not count.
std::chrono::duration<double> cpu_time() {
  timespec spent{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &spent);
  return std::chrono::seconds(spent.tv_sec) + std::chrono::nanoseconds(spent.tv_nsec);
}

constexpr int kWorkers = 4;
constexpr int kLive = 6;
constexpr std::size_t kRepositories = 1000;

class Chance {  // xorshift: the same in every run
 public:
  std::size_t below(std::size_t limit) {
    state_ ^= state_ << 13U;
    state_ ^= state_ >> 7U;
    state_ ^= state_ << 17U;
    return static_cast<std::size_t>(state_ % limit);
  }

 private:
  std::uint64_t state_ = 88172645463325252ULL;
};

// Takes one by chance out of a list whose order does not matter.
template <class T>
T take_any(std::vector<T>& from, Chance& chance) {
  std::swap(from[chance.below(from.size())], from.back());
  T taken = from.back();
  from.pop_back();
  return taken;
}

class CoreSide {
 public:
  explicit CoreSide(std::size_t pools) : core_(options(pools)) {
    now_.wall = base::WallTime(base::Millis(1'700'000'000'000));
    now_.mono = base::MonoTime(std::chrono::seconds(1000));
    for (std::size_t i = 0; i < pools; ++i) {
      domain::SpawnPool spawn{++ticket_, base::PoolId{ids_.next(now_.wall)}, {}};
      spawn.spec.name = "pool-" + std::to_string(i);
      spawn.spec.max_workers = kWorkers;
      spawn.spec.max_queue = 1000000;
      step(std::move(spawn));
    }
    // Every placement looks at a repository's limit and at the server's; few wait for one.
    for (std::size_t i = 0; i < kRepositories; ++i) {
      auto spec = std::make_shared<domain::TaskSpec>();
      spec->work.argv = {"/bin/true"};
      spec->repo = "repo-" + std::to_string(i);
      spec->caller = "caller-" + std::to_string(i % 3);
      spec->priority = static_cast<std::uint8_t>(i % domain::kPriorities);
      spec->max_per_repo = 100;
      specs_.push_back(std::move(spec));
    }
    persist();
  }

  void submit(std::size_t count) {
    domain::SubmitTasks event;
    event.ticket = ++ticket_;
    event.tasks.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
      event.tasks.push_back({base::TaskId{ids_.next(now_.wall)}, next_spec(), {}, {}});
    }
    step(std::move(event));
    persist();
  }

  void finish_one() {
    if (running_.empty()) return;
    domain::AttemptEnded end;
    end.fence = take_any(running_, chance_);
    end.reason = domain::Reason::Ok;
    end.exit_code = 0;
    step(std::move(end));
  }

  std::uint64_t finished() const { return core_.counts().completed; }
  std::uint64_t live() const { return core_.counts().live; }

 private:
  static domain::CoreOptions options(std::size_t pools) {
    domain::CoreOptions options;
    options.max_live_tasks = 2000000;
    options.max_running = static_cast<int>(pools) * kWorkers;
    return options;
  }

  const std::shared_ptr<const domain::TaskSpec>& next_spec() {
    next_ = next_ + 1 == specs_.size() ? 0 : next_ + 1;
    return specs_[next_];
  }

  void step(domain::Event event) {
    now_.mono += std::chrono::microseconds(2);
    for (const domain::Effect& effect : core_.step(event, now_)) {
      if (const auto* start = std::get_if<domain::StartAttempt>(&effect)) {
        running_.push_back(start->fence);
      } else if (const auto* facts = std::get_if<domain::Persist>(&effect)) {
        commit_ = facts->commit;
      }
    }
  }

  void persist() { step(domain::Persisted{commit_}); }

  domain::Core core_;
  domain::Moment now_;
  base::UlidSource ids_{1};
  Chance chance_;
  domain::Ticket ticket_ = 0;
  domain::CommitNo commit_ = 0;
  std::vector<std::shared_ptr<const domain::TaskSpec>> specs_;
  std::size_t next_ = 0;
  std::vector<domain::Fence> running_;
};

// The same pools and load. Nothing is recorded, limited, aged or undone.
class ScanSide {
 public:
  explicit ScanSide(std::size_t pools) : pools_(pools) {}

  void submit(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      Pool* least = &pools_.front();
      for (Pool& pool : pools_) {
        if (pool.running + pool.queue.size() < least->running + least->queue.size()) least = &pool;
      }
      least->queue.push_back(++task_);
      start_next(*least);
    }
  }

  void finish_one() {
    if (running_.empty()) return;
    Pool& pool = *take_any(running_, chance_);
    --pool.running;
    ++finished_;
    start_next(pool);
  }

  std::uint64_t finished() const { return finished_; }
  std::uint64_t live() const { return task_ - finished_; }

 private:
  struct Pool {
    std::size_t running = 0;
    std::deque<std::uint64_t> queue;
  };

  void start_next(Pool& pool) {
    if (pool.running == kWorkers || pool.queue.empty()) return;
    pool.queue.pop_front();
    ++pool.running;
    running_.push_back(&pool);
  }

  std::vector<Pool> pools_;
  std::vector<Pool*> running_;
  Chance chance_;
  std::uint64_t task_ = 0, finished_ = 0;
};

template <class Side>
int measure(std::size_t pools, std::uint64_t tasks, std::size_t batch, std::uint64_t live) {
  Side side(pools);
  while (side.live() < live) side.submit(batch);
  const auto rounds = [&](std::uint64_t count) {
    const std::uint64_t until = side.finished() + count;
    while (side.finished() < until) {
      side.submit(batch);
      for (std::size_t i = 0; i < batch; ++i) side.finish_one();
    }
  };
  rounds(tasks / 10);  // so that the heap has its size and the caches are warm
  const std::uint64_t before = side.finished();
  const auto began = cpu_time();
  rounds(tasks);
  const auto took = cpu_time() - began;
  const std::uint64_t done = side.finished() - before;
  std::printf(
      "{\"pools\":%zu,\"tasks\":%llu,\"live\":%llu,\"per_second\":%.0f,\"ns\":%.1f}\n", pools,
      static_cast<unsigned long long>(done), static_cast<unsigned long long>(side.live()),
      static_cast<double>(done) / took.count(), 1e9 * took.count() / static_cast<double>(done));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 || (std::strcmp(argv[1], "core") != 0 && std::strcmp(argv[1], "scan") != 0)) {
    std::fprintf(stderr, "usage: scheduler core|scan POOLS TASKS BATCH LIVE\n");
    return 2;
  }
  const auto pools = static_cast<std::size_t>(std::atoll(argv[2]));
  const auto tasks = static_cast<std::uint64_t>(std::atoll(argv[3]));
  const auto batch = static_cast<std::size_t>(std::atoll(argv[4]));
  const auto live = static_cast<std::uint64_t>(std::atoll(argv[5]));
  const bool core = std::strcmp(argv[1], "core") == 0;
  return core ? measure<CoreSide>(pools, tasks, batch, live)
              : measure<ScanSide>(pools, tasks, batch, live);
}
