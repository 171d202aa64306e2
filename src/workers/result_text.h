// The text of a result: the end of the output as valid UTF-8, and whose bytes it holds.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "domain/ports.h"
#include "domain/records.h"

namespace mahavishnu::workers {

inline constexpr std::size_t kTextBytes = 8192;

// A stretch of output of one stream: 'o' stdout, 'e' stderr. A line about what was cut is stdout's.
struct Run {
  char stream = 'o';
  std::size_t length = 0;
};

// As in TaskResult::streams: "o120e15o3".
std::string print_runs(const std::vector<Run>& runs);
std::vector<Run> parse_runs(std::string_view runs);
// Adds to the last run if it is of the same stream.
void add_run(std::vector<Run>& runs, char stream, std::size_t length);

// Fills `text` and `streams` from the raw end of the output: each run made valid by itself, the
// whole at most kTextBytes, cut at its start between characters.
void set_text(domain::TaskResult& result, std::string_view raw, std::string_view raw_runs);

// The part of `text` that belongs to the view.
std::string text_of(const domain::TaskResult& result, domain::OutputStream view);

}  // namespace mahavishnu::workers
