#include "app/workflow_table.h"

#include <algorithm>
#include <cstdio>
#include <map>

namespace mahavishnu::app {
namespace {

using rpc::Json;

constexpr std::size_t kWidestName = 28;
constexpr std::size_t kWidestCell = 18;
constexpr const char* kOnce = "(all)";  // the row of steps that run once for all repositories

struct Row {
  std::string name;
  std::map<std::string, Json> cells;  // by step
  int rank = 0;                       // 0 failed, 1 running, 2 waiting, 3 done
};

bool is_failed(const std::string& state) { return state == "failed" || state == "dead"; }

int rank_of(const std::string& state) {
  if (is_failed(state)) return 0;
  if (state == "running") return 1;
  return is_ended(state) ? 3 : 2;
}

std::string padded(std::string_view text, std::size_t width) {
  std::string result = clipped(text, width);
  result.append(width - std::min(width, columns_of(result)), ' ');
  return result;
}

std::string coloured(const std::string& text, const char* code, bool colour) {
  return colour && *code != '\0' ? std::string("\x1b[") + code + "m" + text + "\x1b[0m" : text;
}

// What one cell says: its state, and why when that is not plain.
std::string cell_text(const Json& cell) {
  const std::string state = cell.value("state", "");
  const std::string reason = cell.value("reason", "");
  if (reason == "dependency_failed") return "skipped";
  if (state == "completed") return "ok";
  if (is_failed(state)) return "FAIL " + reason;
  if (state == "retry_wait") return "retries";
  if (state == "queued") return "waits";
  return state;
}

const char* cell_colour(const Json& cell) {
  const std::string state = cell.value("state", "");
  if (state == "completed") return "32";
  if (is_failed(state)) return "31;1";
  if (state == "running") return "36";
  return "2";
}

std::vector<Row> rows_of(const Json& workflow) {
  std::map<std::string, Row> by_name;
  for (const auto& cell : workflow.value("cells", Json::array())) {
    std::string name = cell.value("repo", "");
    if (name.empty()) name = kOnce;
    Row& row = by_name[name];
    if (row.cells.empty()) row.rank = 3;
    row.name = name;
    row.rank = std::min(row.rank, rank_of(cell.value("state", "")));
    row.cells[cell.value("step", "")] = cell;
  }
  std::vector<Row> rows;
  for (auto& [name, row] : by_name) rows.push_back(std::move(row));
  // The row of `once` steps stays last: it is the sum of the others.
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    return std::pair(a.name == kOnce, a.rank) < std::pair(b.name == kOnce, b.rank);
  });
  return rows;
}

std::vector<std::string> steps_of(const Json& workflow) {
  std::vector<std::string> steps;
  for (const auto& step : workflow.value("steps", Json::array()))
    steps.push_back(step.get<std::string>());
  return steps;
}

std::string head_of(const Json& workflow, double seconds) {
  char tail[64];
  std::snprintf(tail, sizeof tail, "  %d %%  %.1f s  ", workflow.value("progress", 0), seconds);
  const std::string name = workflow.value("name", "");
  return workflow.value("workflow", "") + (name.empty() ? "" : " " + name) + "  " +
         workflow.value("state", "") + tail + workflow_counts(workflow);
}

std::string row_line(const Row& row, const std::vector<std::string>& steps, std::size_t name_width,
                     std::size_t cell_width, bool colour) {
  std::string line = padded(row.name, name_width);
  for (const auto& step : steps) {
    const auto cell = row.cells.find(step);
    const std::string text =
        padded(cell == row.cells.end() ? "" : cell_text(cell->second), cell_width);
    line += "  " + coloured(text, cell == row.cells.end() ? "" : cell_colour(cell->second), colour);
  }
  return line;
}

std::string rest_line(const std::vector<Row>& rows, std::size_t from) {
  int by_rank[4] = {0, 0, 0, 0};
  for (std::size_t i = from; i < rows.size(); ++i) ++by_rank[rows[i].rank];
  std::string text = "… and " + std::to_string(rows.size() - from) + " more";
  const char* names[4] = {"failed", "running", "waiting", "done"};
  for (int rank = 0; rank < 4; ++rank) {
    if (by_rank[rank] > 0) text += ", " + std::to_string(by_rank[rank]) + " " + names[rank];
  }
  return text;
}

}  // namespace

bool is_ended(const std::string& state) {
  return state == "completed" || state == "failed" || state == "cancelled" || state == "dead" ||
         state == "partial";
}

std::size_t columns_of(std::string_view text) {
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = std::min(text.find('m', i), text.size());
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) {
      ++columns;
    }
  }
  return columns;
}

std::string clipped(std::string_view text, std::size_t width) {
  if (columns_of(text) <= width) return std::string(text);
  std::string result;
  std::size_t columns = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool starts = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
    if (starts && ++columns == width) break;
    result += text[i];
  }
  return width == 0 ? "" : result + "…";
}

std::string workflow_counts(const Json& workflow) {
  std::string text;
  const Json counts = workflow.value("counts", Json::object());
  for (const char* name : {"failed", "running", "queued", "completed", "cancelled", "skipped"}) {
    const int count = counts.value(name, 0);
    if (count > 0) text += (text.empty() ? "" : ", ") + std::to_string(count) + " " + name;
  }
  return text;
}

std::vector<std::string> workflow_table(const Json& workflow, double seconds,
                                        const TableSize& size) {
  const auto steps = steps_of(workflow);
  const auto rows = rows_of(workflow);
  std::size_t name_width = std::string_view("repository").size();
  for (const Row& row : rows)
    name_width = std::max(name_width, std::min(columns_of(row.name), kWidestName));
  const std::size_t left = size.width > name_width ? size.width - name_width : 0;
  const std::size_t share = steps.empty() ? 0 : left / steps.size();
  const std::size_t cell_width = share > 5 ? std::min(share - 2, kWidestCell) : 3;

  std::vector<std::string> lines{clipped(head_of(workflow, seconds), size.width)};
  std::string titles = padded("repository", name_width);
  for (const auto& step : steps) titles += "  " + padded(step, cell_width);
  lines.push_back(coloured(clipped(titles, size.width), "1", size.colour));
  const std::size_t room = size.height > 3 ? size.height - 3 : 1;
  const std::size_t shown = rows.size() <= room + 1 ? rows.size() : room;
  for (std::size_t i = 0; i < shown; ++i) {
    lines.push_back(row_line(rows[i], steps, name_width, cell_width, size.colour));
  }
  if (shown < rows.size()) lines.push_back(rest_line(rows, shown));
  return lines;
}

}  // namespace mahavishnu::app
