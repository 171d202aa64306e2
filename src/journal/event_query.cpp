// An index a filter keeps the order of the answer, so nothing is sorted. Which is the narrowest is
// not known (the planner has no statistics), so it is chosen here by what is usually so: a task, a
// workflow, errors, warnings, a repository, a pool, and without any of them the time. What a person
// typed is never part of a statement.
#include "journal/event_query.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "journal/event_text.h"

namespace mahavishnu::journal {
namespace {

using domain::LogEntry;
using domain::LogFilter;
using domain::LogLevel;

constexpr std::int64_t kNoSeq = std::numeric_limits<std::int64_t>::max();
// In the order of kEntryColumns.
enum Column { kSeq, kTime, kKind, kTask, kWorkflow, kPool, kRepo, kSeverity, kText };
enum Parameter { kSince = 1, kUntil, kBefore, kKey };

// The way to the rows: an index and the condition that it stands for.
struct Way {
  const char* index;
  const char* condition;
};

Way way_to(const LogFilter& filter) {
  if (filter.task) return {"events_task", "task=?4 AND "};
  if (filter.workflow) return {"events_workflow", "workflow=?4 AND "};
  if (filter.least >= LogLevel::Error) return {"events_errors", "severity>=4 AND "};
  if (filter.least >= LogLevel::Warn) return {"events_warnings", "severity>=3 AND "};
  if (!filter.repo.empty()) return {"events_repo", "repo=?4 AND "};
  if (filter.pool) return {"events_pool", "pool=?4 AND "};
  return {"events_time", ""};
}

void bind_key(Statement& rows, const LogFilter& filter) {
  if (filter.task) return rows.bind(kKey, filter.task.value);
  if (filter.workflow) return rows.bind(kKey, filter.workflow.value);
  if (filter.least >= LogLevel::Warn) return;
  if (!filter.repo.empty()) return rows.bind(kKey, std::string_view(filter.repo));
  if (filter.pool) rows.bind(kKey, filter.pool.value);
}

// "e1763000000000.77": the time and the number of the last row looked at.
struct Cursor {
  std::int64_t time = std::numeric_limits<std::int64_t>::max();
  std::int64_t seq = kNoSeq;

  std::string str() const { return "e" + std::to_string(time) + "." + std::to_string(seq); }
};

Result<Cursor> parse_cursor(std::string_view text) {
  Cursor cursor;
  if (text.empty()) return cursor;
  const auto* const end = text.data() + text.size();
  if (text.front() == 'e') {
    const auto time = std::from_chars(text.data() + 1, end, cursor.time);
    if (time.ec == std::errc{} && time.ptr != end && *time.ptr == '.') {
      const auto seq = std::from_chars(time.ptr + 1, end, cursor.seq);
      if (seq.ec == std::errc{} && seq.ptr == end) return cursor;
    }
  }
  return fail(ErrorCode::InvalidArgument,
              "the cursor is not one of log_search; take next_cursor of its last page, or start "
              "without one");
}

std::int64_t number(base::WallTime time) { return time.time_since_epoch().count(); }

void bind(Statement& rows, const LogFilter& filter, const Cursor& cursor) {
  const auto until =
      filter.until ? number(*filter.until) : std::numeric_limits<std::int64_t>::max();
  rows.bind(kSince, filter.since ? number(*filter.since) : 0);
  rows.bind(kUntil, std::min(until, cursor.time));
  rows.bind(kBefore, until < cursor.time ? kNoSeq : cursor.seq);
  bind_key(rows, filter);
}

// All of the filter but its times, which the statement knows.
bool meets(const Statement& row, const LogFilter& filter, Words& words) {
  return row.integer(kSeverity) >= static_cast<int>(filter.least) &&
         (!filter.task || row.id(kTask) == filter.task.value) &&
         (!filter.workflow || row.id(kWorkflow) == filter.workflow.value) &&
         (!filter.pool || row.id(kPool) == filter.pool.value) &&
         (filter.repo.empty() || row.text(kRepo) == filter.repo) &&
         (words.none() || words.in(row.text(kKind), row.text(kText)));
}

}  // namespace

LogEntry read_entry(const Statement& row) {
  LogEntry entry{row.time(kTime),
                 std::string(row.text(kKind)),
                 {row.id(kTask)},
                 {row.id(kWorkflow)},
                 {row.id(kPool)}};
  entry.level = static_cast<LogLevel>(std::clamp<std::int64_t>(row.integer(kSeverity), 0, 4));
  entry.text = row.text(kText);
  entry.repo = row.text(kRepo);
  return entry;
}

std::string entries_select(const LogFilter& filter) {
  const Way way = way_to(filter);
  return std::string("SELECT ") + kEntryColumns + " FROM events INDEXED BY " + way.index +
         " WHERE " + way.condition +
         "time>=?1 AND time<=?2 AND (time<?2 OR seq<?3) ORDER BY time DESC, seq DESC";
}

Result<domain::LogPage> find_entries(Database& database, const LogFilter& filter,
                                     const domain::Page& page, int looks) {
  if (page.limit < 1) return fail(ErrorCode::InvalidArgument, "a page's limit must be at least 1");
  auto cursor = parse_cursor(page.cursor);
  if (!cursor) return fail(std::move(cursor.error()));
  auto rows = database.lease(entries_select(filter));
  if (!rows) return fail(std::move(rows.error()));
  bind(**rows, filter, *cursor);
  Words words(filter.query);
  domain::LogPage found;
  for (int looked = 0;; ++looked) {
    auto more = (*rows)->step();
    if (!more) return fail(std::move(more.error()));
    if (!*more) return found;
    const bool fits = static_cast<int>(found.items.size()) < page.limit;
    const bool met = looked < looks && meets(**rows, filter, words);
    if (looked >= looks || (met && !fits)) {
      found.cut_short = fits;
      found.next_cursor = cursor->str();
      return found;
    }
    cursor->time = (*rows)->integer(kTime);
    cursor->seq = (*rows)->integer(kSeq);
    if (met) found.items.push_back(read_entry(**rows));
  }
}

}  // namespace mahavishnu::journal
