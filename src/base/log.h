// The process's log: one spdlog logger that writes to stderr and never blocks the caller.
//
// The queue is bounded (8,192 lines of at most 8 KiB); when it is full the oldest line is dropped
// and counted. Lines below the level cost no formatting; longer lines are cut and say so. stdout is
// never written: it belongs to the protocol. Any thread.
#pragma once

#include <spdlog/spdlog.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::base {

inline constexpr std::size_t kLongestLogLine = 8192;

// Never null: before `start_log` it is a synchronous stderr logger at warning level.
spdlog::logger* log();

struct LogOptions {
  std::string level = "info";  // trace, debug, info, warn, error, off
  // Lines go to this file as well (0600); "": no file. A full one becomes FILE.1 and so on.
  std::string file;
  std::uint64_t file_bytes = 10U << 20U;  // of each file, at least 1
  std::size_t file_count = 5;             // altogether, at least 1
};

// Makes the logger asynchronous.
Status start_log(const LogOptions& options);

// Writes out what is queued. Call before exit.
void stop_log();

// One line, as long as it is handed over.
struct LogLine {
  WallTime time{};
  spdlog::level::level_enum level{};
  std::string_view text;
};

// Whoever keeps lines besides stderr. Called on the thread that logs, before the line is queued for
// stderr and the file (so a stderr nobody reads holds nothing up); neither waits nor logs.
class LogFollower {
 public:
  virtual ~LogFollower() = default;
  virtual void line(const LogLine& line) = 0;
};

// At most one, between start_log and stop_log; nullptr: none. When it returns, the one before is
// not called any more.
void follow_log(LogFollower* follower);

// Lines that stderr and the file have missed since start_log, because the queue was full.
std::uint64_t log_lines_dropped();

}  // namespace mahavishnu::base
