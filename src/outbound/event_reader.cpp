#include "outbound/event_reader.h"

#include <algorithm>
#include <utility>

namespace mahavishnu::outbound {
namespace {

using rpc::Json;

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

// Events end with an empty line; their data may have several lines. A line ends with CR LF, LF or
// CR, and is taken at once: an LF that comes after a CR is skipped when it is there. No byte is
// looked at twice.
std::vector<Json> EventReader::take(std::string_view body, bool last) {
  std::vector<Json> messages;
  for (;;) {
    if (after_cr_ && line_ < body.size()) {
      if (body[line_] == '\n') ++line_;
      after_cr_ = false;
    }
    const auto end = body.find_first_of("\r\n", std::max(searched_, line_));
    searched_ = std::min(end, body.size());
    if (end == std::string_view::npos && (!last || line_ >= body.size())) break;
    auto line = body.substr(line_, searched_ - line_);
    if (line_ == 0 && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
    take_line(line, messages);
    after_cr_ = end != std::string_view::npos && body[end] == '\r';
    line_ = searched_ = std::min(searched_ + 1, body.size());
  }
  if (last) take_line("", messages);
  return messages;
}

void EventReader::take_line(std::string_view line, std::vector<Json>& messages) {
  if (line == "data" || line.starts_with("data:")) {
    line.remove_prefix(std::min(line.size(), std::size_t{line.starts_with("data: ") ? 6U : 5U}));
    data_.append(line).append("\n");
  } else if (line.empty() && !data_.empty()) {
    Json message = Json::parse(std::exchange(data_, {}), nullptr, false);
    if (message.is_object()) messages.push_back(std::move(message));
  }
}

}  // namespace mahavishnu::outbound
