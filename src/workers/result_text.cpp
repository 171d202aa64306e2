#include "workers/result_text.h"

#include <algorithm>

#include "workers/text.h"

namespace mahavishnu::workers {

std::string print_runs(const std::vector<Run>& runs) {
  std::string text;
  for (const auto& run : runs) text += run.stream + std::to_string(run.length);
  return text;
}

std::vector<Run> parse_runs(std::string_view runs) {
  std::vector<Run> all;
  for (const char each : runs) {
    if (each >= '0' && each <= '9' && !all.empty()) {
      all.back().length = all.back().length * 10 + static_cast<std::size_t>(each - '0');
    } else {
      all.push_back({each, 0});
    }
  }
  return all;
}

void add_run(std::vector<Run>& runs, char stream, std::size_t length) {
  if (length == 0) return;
  if (!runs.empty() && runs.back().stream == stream) {
    runs.back().length += length;
  } else {
    runs.push_back({stream, length});
  }
}

void set_text(domain::TaskResult& result, std::string_view raw, std::string_view raw_runs) {
  // From the end, so that what does not fit is missing at the start.
  std::vector<std::string> parts;
  std::vector<Run> runs = parse_runs(raw_runs);
  std::vector<Run> kept;
  std::size_t room = kTextBytes;
  while (!runs.empty() && room > 0) {
    const Run run = runs.back();
    runs.pop_back();
    const std::string_view part = raw.substr(raw.size() - std::min(run.length, raw.size()));
    raw.remove_suffix(part.size());
    const std::string whole = valid_text(part);
    parts.push_back(last_valid_text(whole, room));
    kept.push_back({run.stream, parts.back().size()});
    if (whole.size() > room) break;  // what was before it does not follow
    room -= whole.size();
  }
  result.text.clear();
  std::vector<Run> in_order;
  for (std::size_t i = parts.size(); i > 0; --i) {
    result.text += parts[i - 1];
    add_run(in_order, kept[i - 1].stream, kept[i - 1].length);
  }
  result.streams = print_runs(in_order);
}

std::string text_of(const domain::TaskResult& result, domain::OutputStream view) {
  if (view == domain::OutputStream::All) return result.text;
  const char wanted = view == domain::OutputStream::Stdout ? 'o' : 'e';
  std::string_view rest = result.text;
  std::string text;
  for (const auto& run : parse_runs(result.streams)) {
    const std::string_view part = rest.substr(0, run.length);
    rest.remove_prefix(part.size());
    if (run.stream == wanted) text += part;
  }
  return text;
}

}  // namespace mahavishnu::workers
