#include "domain/bus_topics.h"

#include <algorithm>

namespace mahavishnu::domain {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

constexpr unsigned char kDelete = 0x7f;
const std::string kInbox = "repo.";

// The first word, and `rest` without it. A topic of no words is one empty word.
std::string_view take_word(std::string_view& rest) {
  const std::size_t end = std::min(rest.find('.'), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return word;
}

bool is_word(std::string_view word) {
  return !word.empty() && std::all_of(word.begin(), word.end(), [](unsigned char c) {
    return c > ' ' && c != kDelete && c != '*' && c != '#' && c != '.';
  });
}

Status refuse(const char* what, std::string_view text, const char* form) {
  return fail(ErrorCode::InvalidArgument, std::string(what) + ": " + form + ", at most " +
                                              std::to_string(kTopicBytes) + " bytes; got \"" +
                                              std::string(text.substr(0, kTopicBytes)) + "\"");
}

}  // namespace

Status check_topic(std::string_view topic) {
  constexpr const char* kForm = "a topic is words between dots, such as builds.api.done";
  if (topic.empty() || topic.size() > kTopicBytes || topic.back() == '.') {
    return refuse("topic", topic, kForm);
  }
  for (std::string_view rest = topic; !rest.empty();) {
    if (!is_word(take_word(rest))) return refuse("topic", topic, kForm);
  }
  return {};
}

Status check_pattern(std::string_view pattern) {
  constexpr const char* kForm =
      "a pattern is words between dots, of which * is any word and a last # all that follow";
  if (pattern.empty() || pattern.size() > kTopicBytes || pattern.back() == '.') {
    return refuse("topic", pattern, kForm);
  }
  for (std::string_view rest = pattern; !rest.empty();) {
    const std::string_view word = take_word(rest);
    const bool last = rest.empty();
    if (!(word == "*" || (word == "#" && last) || is_word(word))) {
      return refuse("topic", pattern, kForm);
    }
  }
  return {};
}

bool is_wild(std::string_view pattern) { return pattern.find_first_of("*#") != pattern.npos; }

bool matches(std::string_view pattern, std::string_view topic) {
  while (!pattern.empty()) {
    const std::string_view wanted = take_word(pattern);
    if (wanted == "#") return true;
    if (topic.empty()) return false;
    const std::string_view word = take_word(topic);
    if (wanted != "*" && wanted != word) return false;
  }
  return topic.empty();
}

bool may_meet_events(std::string_view pattern) {
  const std::string_view first = take_word(pattern);
  return first == "*" || first == "#" || first == kEventWord;
}

std::string topic_word(std::string_view text) {
  constexpr const char* kHex = "0123456789ABCDEF";
  std::string word;
  for (const unsigned char c : text) {
    if (is_word(std::string_view(reinterpret_cast<const char*>(&c), 1)) && c != '%') {
      word += static_cast<char>(c);
    } else {
      word += {'%', kHex[c >> 4U], kHex[c & 15U]};
    }
  }
  return word;
}

std::string inbox_of(std::string_view repository) { return kInbox + topic_word(repository); }

bool is_inbox(std::string_view topic) { return topic.starts_with(kInbox); }

}  // namespace mahavishnu::domain
