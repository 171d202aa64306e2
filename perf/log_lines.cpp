// How many lines a second the log takes, and where they end: threads log as fast as they can into
// the library's own log and event log, beside an append that formats and keeps nothing.
//
//   log_lines FOLDER THREADS LINES
//
// stderr should be somewhere cheap (/dev/null): what is measured is the way up to the queues.
#include <spdlog/spdlog.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/time.h"
#include "journal/event_log.h"
#include "journal/schema.h"

namespace {

using namespace mahavishnu;

double seconds_since(base::MonoTime start) {
  return std::chrono::duration<double>(base::mono_now() - start).count();
}

double log_lines(int threads, int lines) {
  const auto start = base::mono_now();
  std::vector<std::thread> loggers;
  for (int thread = 0; thread < threads; ++thread) {
    loggers.emplace_back([thread, lines, threads] {
      for (int i = thread; i < lines; i += threads) {
        base::log()->info("tools/call {} took {} µs, call {} of the run", "task_submit", i % 997,
                          i);
      }
    });
  }
  for (auto& logger : loggers) logger.join();
  return seconds_since(start);
}

int run(const char* folder, int threads, int lines) {
  auto database = journal::open_migrated(folder, journal::kEventsSchema, "NORMAL");
  if (!database) return std::fprintf(stderr, "%s\n", database.error().message.c_str()), 1;
  auto history = journal::EventLog::open(std::move(*database), std::nullopt, {});
  if (!history) return std::fprintf(stderr, "%s\n", history.error().message.c_str()), 1;
  if (!base::start_log({})) return 1;
  const auto below = base::mono_now();
  for (int i = 0; i < lines; ++i) base::log()->debug("call {} of the run", i);
  const double below_seconds = seconds_since(below);
  base::follow_log(history->get());
  const auto start = base::mono_now();
  const double enqueued = log_lines(threads, lines);
  base::follow_log(nullptr);
  (*history)->stop();
  const double written = seconds_since(start);
  const auto dropped = base::log_lines_dropped();
  base::stop_log();
  const auto counts = (*history)->counts();
  std::printf(
      "{\"enqueued_per_second\":%.0f,\"below_level_ns\":%.2f,\"written\":%llu,\"dropped\":%llu,"
      "\"written_per_second\":%.0f,\"stderr_dropped\":%llu}\n",
      lines / enqueued, 1e9 * below_seconds / lines,
      static_cast<unsigned long long>(counts.written),
      static_cast<unsigned long long>(counts.dropped),
      static_cast<double>(counts.written) / written, static_cast<unsigned long long>(dropped));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: log_lines FOLDER THREADS LINES\n"), 2;
  return run(argv[1], std::atoi(argv[2]), std::atoi(argv[3]));
}
