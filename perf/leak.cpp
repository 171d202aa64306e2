// What the server keeps of tasks that are over: service, core and journal as in the server, with
// memories, their index and the history, under an executor that does nothing.
//
// usage: leak FOLDER TASKS LOOK_AFTER
//
// Eight callers submit batches of a hundred and wait for their ends. Prints the resident memory
// when LOOK_AFTER tasks have ended, then at ten moments up to the end.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/asio.h"
#include "control/service.h"
#include "control/timers.h"
#include "journal/sqlite_journal.h"

namespace {

using namespace mahavishnu;

constexpr int kCallers = 8;
constexpr std::uint64_t kBatch = 100;
constexpr std::uint64_t kLooks = 10;

// Every attempt starts and succeeds in a turn of its own.
class NoWork final : public domain::Executor {
 public:
  explicit NoWork(asio::any_io_executor control) : control_(std::move(control)) {}

  void subscribe(Events events) override { events_ = std::move(events); }
  void recover(
      std::function<void(domain::Result<std::vector<domain::Restored::Found>>)> answer) override {
    answer(std::vector<domain::Restored::Found>{});
  }
  void start(domain::AttemptOrder order) override {
    asio::post(control_, [this, fence = order.fence] {
      events_.started(fence);
      domain::AttemptEnded end;
      end.fence = fence;
      end.reason = domain::Reason::Ok;
      end.exit_code = 0;
      events_.ended(std::move(end));
    });
  }
  void stop(domain::Fence, domain::Reason) override {}  // it ends anyway
  void release(domain::Fence) override {}
  void keep_ready(domain::PoolId, int) override {}
  void when_ready(std::function<void()> then) override { then(); }
  void read_output(domain::Fence, domain::OutputStream, std::int64_t, std::size_t,
                   std::function<void(domain::Result<domain::OutputChunk>)> answer) override {
    answer(domain::OutputChunk{});
  }
  void read_spool(std::string, domain::OutputStream, std::int64_t, std::size_t,
                  std::function<void(domain::Result<domain::OutputChunk>)> answer) override {
    answer(domain::fail(domain::ErrorCode::NotFound, "there is no output"));
  }
  void resident(std::vector<domain::Fence> fences,
                std::function<void(domain::Result<std::vector<std::int64_t>>)> answer) override {
    answer(std::vector<std::int64_t>(fences.size(), 0));
  }
  void examine(domain::PoolSpec, domain::StringMap,
               std::function<void(domain::Result<std::string>)> answer) override {
    answer(std::string());
  }

 private:
  asio::any_io_executor control_;
  Events events_;
};

double resident_mb() {
  std::ifstream file("/proc/self/statm");
  std::uint64_t size = 0;
  std::uint64_t resident = 0;
  file >> size >> resident;
  return static_cast<double>(resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))) / 1e6;
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "leak: %s\n", why.c_str());
  std::exit(1);
}

struct Run {
  control::Service& service;
  std::uint64_t tasks;
  std::uint64_t look_after;
  std::uint64_t submitted = 0, ended = 0;
  std::uint64_t next_look = look_after;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();

  void look() {
    if (ended < next_look) return;
    next_look += (tasks - look_after) / kLooks;
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    std::printf("{\"ended\":%llu,\"rss_mb\":%.2f,\"seconds\":%.2f}\n",
                static_cast<unsigned long long>(ended), resident_mb(), took.count());
    std::fflush(stdout);
  }
};

std::vector<domain::Result<control::Service::SubmitArgs>> batch(std::uint64_t first) {
  std::vector<domain::Result<control::Service::SubmitArgs>> items;
  for (std::uint64_t i = 0; i < kBatch; ++i) {
    control::Service::SubmitArgs args;
    args.spec.work.argv = {"/bin/true", std::to_string(first + i)};
    args.spec.labels = {{"build", std::to_string((first + i) / 1000)}};
    items.emplace_back(std::move(args));
  }
  return items;
}

base::awaitable<void> call(Run& run) {
  while (run.submitted < run.tasks) {
    auto items = batch(run.submitted);
    run.submitted += kBatch;
    auto outcome = co_await run.service.submit_batch(std::move(items));
    if (!outcome) give_up(outcome.error().message);
    const auto over = co_await run.service.wait_batch(
        outcome->batch, control::Wait{std::chrono::minutes(10), false});
    if (!over) give_up(over.error().message);
    run.ended += kBatch;
    run.look();
  }
}

base::awaitable<void> begin(control::Service& service, domain::Snapshot snapshot) {
  const auto started = co_await service.start(std::move(snapshot), 16);
  if (!started) give_up(started.error().message);
}

// Runs coroutines until all of them are over.
void finish(asio::io_context& io, std::vector<base::awaitable<void>> calls) {
  std::size_t open = calls.size();
  for (auto& one : calls) {
    asio::co_spawn(io, std::move(one), [&open](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);
      --open;
    });
  }
  while (open > 0) io.run_one();
}

int measure(const std::string& folder, std::uint64_t tasks, std::uint64_t look_after) {
  asio::io_context io;
  const auto guard = asio::make_work_guard(io);
  journal::JournalOptions options;
  options.directory = folder;
  auto opened = journal::SqliteJournal::open(io.get_executor(), std::move(options));
  if (!opened) give_up(opened.error().message);
  journal::SqliteJournal& journal = **opened;
  auto snapshot = journal.load();
  if (!snapshot) give_up(snapshot.error().message);
  NoWork executor(io.get_executor());
  const auto timers = control::make_system_timers(io.get_executor());
  control::Service service(io.get_executor(), control::ServiceOptions{}, *timers, journal, journal,
                           {{"shell", &executor}});
  std::vector<base::awaitable<void>> first;
  first.push_back(begin(service, std::move(*snapshot)));
  finish(io, std::move(first));
  Run run{service, tasks, look_after};
  std::vector<base::awaitable<void>> callers;
  for (int i = 0; i < kCallers; ++i) callers.push_back(call(run));
  finish(io, std::move(callers));
  const auto counts = service.counts();
  service.stop();
  journal.stop();
  if (counts.completed < tasks) give_up("only " + std::to_string(counts.completed) + " completed");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: leak FOLDER TASKS LOOK_AFTER\n");
    return 2;
  }
  return measure(argv[1], std::strtoull(argv[2], nullptr, 10), std::strtoull(argv[3], nullptr, 10));
}
