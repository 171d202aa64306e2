#include "domain/memories.h"

#include <algorithm>

namespace mahavishnu::domain {
namespace {

constexpr std::size_t kTitleBytes = 200;
constexpr std::size_t kCommandBytes = 4096;
constexpr std::string_view kUnknown = "\xEF\xBF\xBD";  // U+FFFD

unsigned byte_at(std::string_view text, std::size_t at) {
  return static_cast<unsigned char>(text[at]);
}

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (byte_at(text, at) & 0xC0U) == 0x80U;
}

// Bytes of the character at `at`; 0: none is there. RFC 3629: no overlong forms, no surrogates.
std::size_t character_at(std::string_view text, std::size_t at) {
  const unsigned first = byte_at(text, at);
  if (first == 0) return 0;
  if (first < 0x80) return 1;
  const std::size_t size = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || !continues(text, at + 1)) return 0;
  const unsigned second = byte_at(text, at + 1);
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if (!continues(text, at + i)) return 0;
  }
  return size;
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string_view cut_at_character(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  while (bytes > 0 && continues(text, bytes)) --bytes;
  return text.substr(0, bytes);
}

// Without the word that a cut at the front may have halved.
std::string_view from_whole_word(std::string_view text) {
  const auto space = std::find_if(text.begin(), text.end(), is_space);
  return text.substr(static_cast<std::size_t>(space - text.begin()));
}

// The same for a cut at the end.
std::string_view to_whole_word(std::string_view text) {
  while (!text.empty() && !is_space(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view end_of(const TaskResult& result, std::size_t bytes) {
  std::string_view text = result.text;
  const bool cut = text.size() > bytes;
  if (cut) text.remove_prefix(text.size() - bytes);
  return cut || result.truncated ? from_whole_word(text) : text;
}

std::string command_of(const Work& work) {
  std::string all = work.command + work.tool;
  for (const std::string& word : work.argv) {
    if (!all.empty()) all += ' ';
    all += word;
    if (all.size() > kCommandBytes) break;
  }
  if (!work.arguments.empty()) all += " " + work.arguments.substr(0, kCommandBytes);
  if (all.size() <= kCommandBytes) return all;
  return std::string(to_whole_word(std::string_view(all).substr(0, kCommandBytes))) + "…";
}

// "failed (exit_code 2) after 1520 ms, attempt 3: …".
std::string outcome_of(const TaskRecord& task, std::optional<int> exit_code) {
  std::string outcome(to_string(task.status.state));
  if (task.status.reason != Reason::Ok) {
    outcome.append(" (").append(to_string(task.status.reason));
    if (task.status.reason == Reason::ExitCode && exit_code) {
      outcome.append(" ").append(std::to_string(*exit_code));
    }
    outcome += ")";
  }
  outcome += " after " + std::to_string(task.status.run_time.count()) + " ms";
  if (task.status.attempt > 1) outcome += ", attempt " + std::to_string(task.status.attempt);
  if (task.result && !task.result->message.empty()) outcome += ": " + task.result->message;
  return outcome;
}

}  // namespace

bool leaves_memory(const TaskStatus& status) {
  return is_terminal(status.state) && status.reason != Reason::DependencyFailed;
}

Memory memory_of(const TaskRecord& task, std::size_t output_bytes) {
  Memory memory;
  memory.id.value = task.id.value;
  memory.task = task.id;
  memory.pool = task.pool;
  memory.pool_name = task.pool_name;
  memory.state = to_string(task.status.state);
  memory.reason = to_string(task.status.reason);
  if (!task.attempts.empty()) memory.exit_code = task.attempts.back().exit_code;
  memory.run_time = task.status.run_time;
  memory.time = task.status.ended.value_or(task.created);
  if (task.spec) {
    memory.repo = task.spec->repo;
    memory.title = plain_text(command_of(task.spec->work));
    for (const auto& [key, value] : task.spec->labels) {
      memory.tags.push_back(plain_text(value.empty() ? key : key + "=" + value));
    }
  }
  memory.text = outcome_of(task, memory.exit_code);
  if (task.result) memory.text.append("\n").append(end_of(*task.result, output_bytes));
  memory.text = plain_text(memory.text);
  return memory;
}

std::string plain_text(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = character_at(text, at);
    plain.append(size == 0 ? kUnknown : text.substr(at, size));
    at += std::max<std::size_t>(size, 1);
  }
  return plain;
}

std::string first_line(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view cut = cut_at_character(line, kTitleBytes);
  return cut.size() < line.size() ? std::string(cut) + "…" : std::string(cut);
}

}  // namespace mahavishnu::domain
