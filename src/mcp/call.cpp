#include "mcp/call.h"

#include <array>

namespace mahavishnu::mcp {
namespace {

constexpr std::array<std::string_view, 8> kLevels{"debug", "info",     "notice", "warning",
                                                  "error", "critical", "alert",  "emergency"};

}  // namespace

void Call::log(LogLevel, std::string, Json) {}

bool Call::can_ask(Ask) const { return false; }

base::awaitable<base::Result<Answers>> Call::ask(std::vector<Question>) {
  co_return base::fail(base::ErrorCode::Unavailable, "nobody can be asked during this call");
}

std::string_view to_string(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

bool parse_log_level(std::string_view text, LogLevel& level) {
  for (std::size_t i = 0; i < kLevels.size(); ++i) {
    if (kLevels[i] != text) continue;
    level = static_cast<LogLevel>(i);
    return true;
  }
  return false;
}

std::string_view method_of(Ask what) {
  switch (what) {
    case Ask::Elicitation:
      return "elicitation/create";
    case Ask::Sampling:
      return "sampling/createMessage";
    case Ask::Roots:
      break;
  }
  return "roots/list";
}

std::string_view capability_of(Ask what) {
  switch (what) {
    case Ask::Elicitation:
      return "elicitation";
    case Ask::Sampling:
      return "sampling";
    case Ask::Roots:
      break;
  }
  return "roots";
}

TaskWish Call::task_wish() const { return TaskWish::No; }

base::Error Call::hand_over(const TaskView&) {
  return {base::ErrorCode::Internal, "this call cannot be answered with a task", 0};
}

std::string Call::handed_over() const { return {}; }

}  // namespace mahavishnu::mcp
