// The history as it is read: changes of state and lines of the log, newest first, as a port.
//
// It is bounded and may miss the last moments before a crash; the system of record is `Archive`.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "domain/ports.h"

namespace mahavishnu::domain {

enum class LogLevel : std::uint8_t { Trace, Debug, Info, Warn, Error };
std::string_view to_string(LogLevel level);  // "warn"
std::optional<LogLevel> parse_log_level(std::string_view text);

struct LogEntry {
  WallTime time{};
  std::string kind;  // "task_running", "workflow_completed", "pool_put", …; "log": a line
  TaskId task{};
  WorkflowId workflow{};
  PoolId pool{};
  LogLevel level = LogLevel::Info;
  std::string text{};
  std::string repo{};
  std::string node{};  // where it happened; empty: here
};

// Filters that intersect; what is empty meets everything.
struct LogFilter {
  std::string query{};  // words: each is part of the text or the kind, in any case (ASCII)
  LogLevel least = LogLevel::Trace;
  TaskId task{};
  WorkflowId workflow{};
  PoolId pool{};
  std::string repo{};
  std::optional<WallTime> since{}, until{};  // both belong to it
};

struct LogPage {
  std::vector<LogEntry> items;
  std::string next_cursor;  // empty: that was all
  bool cut_short = false;   // looked at as much as one read may; the rest is behind next_cursor
};

class LogArchive {
 public:
  using Found = std::function<void(Result<LogPage>)>;
  virtual ~LogArchive() = default;

  // Entries made before the call are written first, then read. Answers on the control thread, never
  // from inside this call. InvalidArgument: the cursor is none; Unavailable: no history is kept.
  virtual void entries(LogFilter filter, Page page, Found answer) = 0;
};

}  // namespace mahavishnu::domain
