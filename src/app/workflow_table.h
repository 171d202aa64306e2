// A workflow's answer (`workflow_get`) as lines for a terminal: a head, and a row a repository with
// a column a step. Knows nothing of the terminal but its size. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "rpc/json.h"

namespace mahavishnu::app {

struct TableSize {
  std::size_t width = 80;
  std::size_t height = 24;  // lines at most, the head included
  bool colour = true;
};

// What failed comes first, then what runs, then what waits, then the rest; what does not fit is one
// line that counts it. `seconds` is how long it runs already.
std::vector<std::string> workflow_table(const rpc::Json& workflow, double seconds,
                                        const TableSize& size);

// "2 completed, 1 failed" of the answer's counts, without zeros.
std::string workflow_counts(const rpc::Json& workflow);

// Columns a text takes on a terminal (UTF-8, colours not counted), and its first `width` of them.
std::size_t columns_of(std::string_view text);
std::string clipped(std::string_view text, std::size_t width);

bool is_ended(const std::string& state);

}  // namespace mahavishnu::app
