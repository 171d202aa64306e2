// The cursors of pages (journal/event_query, journal/task_query), through the queries that read
// them: a cursor is one that was given out, or is refused by name; a page is what a naive reader of
// the same rows finds behind it, and following pages to the end shows each row once.
#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "fuzz.h"
#include "journal/event_query.h"
#include "journal/schema.h"
#include "journal/task_query.h"

namespace mahavishnu::fuzzing {
namespace {

using namespace journal;

constexpr int kRows = 12;
constexpr std::int64_t kLargest = std::numeric_limits<std::int64_t>::max();

struct Files {
  Database events, tasks;
};

template <class T>
T must(base::Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str());
  expect(result.has_value(), "the files can be made");
  return std::move(*result);
}

// Two events a millisecond, numbered as they come; no tasks.
Files& files() {
  static Files both = [] {
    std::string name = std::filesystem::temp_directory_path() / "fuzz-cursors-XXXXXX";
    expect(mkdtemp(name.data()) != nullptr, "there is room for a folder");
    Files made{must(open_migrated(name, kEventsSchema, "OFF")),
               must(open_migrated(name, kJournalSchema, "OFF"))};
    for (Database* one : {&made.events, &made.tasks}) {  // then they need their folder no more
      expect(one->execute("PRAGMA journal_mode=MEMORY").has_value(), "the log is put away");
    }
    std::filesystem::remove_all(name);
    for (int i = 1; i <= kRows; ++i) {
      const auto row = std::to_string(i / 2) + ",'log','row " + std::to_string(i) + "')";
      expect(made.events.execute("INSERT INTO events(time,kind,text) VALUES(" + row).has_value(),
             "an event is written");
    }
    return made;
  }();
  return both;
}

// "e12.34" as its two numbers; the start without any text.
std::optional<std::pair<std::int64_t, std::int64_t>> numbers_of(std::string_view text) {
  if (text.empty()) return std::pair(kLargest, kLargest);
  const auto dot = text.find('.');
  if (text.front() != 'e' || dot == text.npos) return std::nullopt;
  std::pair<std::int64_t, std::int64_t> numbers;
  const auto read = [](std::string_view digits, std::int64_t& to) {
    const auto* end = digits.data() + digits.size();
    const auto done = std::from_chars(digits.data(), end, to);
    return done.ec == std::errc{} && done.ptr == end;
  };
  const bool good =
      read(text.substr(1, dot - 1), numbers.first) && read(text.substr(dot + 1), numbers.second);
  return good ? std::optional(numbers) : std::nullopt;
}

// What is behind the cursor, newest first.
std::vector<std::string> behind(std::pair<std::int64_t, std::int64_t> cursor) {
  std::vector<std::string> rows;
  for (std::int64_t i = kRows; i >= 1; --i) {
    if (std::pair(i / 2, i) < cursor) rows.push_back("row " + std::to_string(i));
  }
  return rows;
}

void check_events(std::string cursor, int limit) {
  const auto start = numbers_of(cursor);
  std::vector<std::string> seen;
  for (int pages = 0;; ++pages) {
    expect(pages <= kRows, "pages come to an end");
    const auto page = find_entries(files().events, {}, {limit, cursor});
    expect(page.has_value() == start.has_value(), "a cursor of this listing is taken, no other");
    if (!page) {
      expect(page.error().code == base::ErrorCode::InvalidArgument, "a cursor is refused as one");
      return;
    }
    expect(static_cast<int>(page->items.size()) <= limit, "a page keeps its limit");
    for (const auto& entry : page->items) seen.push_back(entry.text);
    if (page->next_cursor.empty()) break;
    cursor = page->next_cursor;
  }
  expect(seen == behind(*start), "the pages are what is behind the cursor");
}

void check_tasks(const std::string& cursor, int limit, bool oldest_first, bool failures_first) {
  domain::TaskFilter filter;
  filter.oldest_first = oldest_first;
  filter.failures_first = failures_first;
  const auto tasks = list_tasks(files().tasks, filter, {limit, cursor}, 7);
  const auto workflows = list_workflows(files().tasks, {}, {limit, cursor});
  expect(cursor.empty() || !tasks || !workflows, "a cursor is of one listing only");
  if (tasks) {
    expect(tasks->items.empty() && tasks->next_cursor.empty(), "there are no tasks");
  } else {
    expect(tasks.error().code == base::ErrorCode::InvalidArgument, "a cursor is refused as one");
  }
  if (!workflows) {
    expect(workflows.error().code == base::ErrorCode::InvalidArgument, "so is a workflow's");
  }
}

}  // namespace

void fuzz(std::string_view input) {
  const auto choice = take_byte(input);
  const int limit = 1 + (choice >> 4U);
  check_events(std::string(input), limit);
  check_tasks(std::string(input), limit, (choice & 1U) != 0, (choice & 2U) != 0);
}

}  // namespace mahavishnu::fuzzing
