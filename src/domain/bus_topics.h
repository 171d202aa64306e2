// Topics of messages and the patterns that meet them. Pure functions.
//
// A topic is words between dots: `builds.api.done`. In a pattern a word `*` stands for any one word
// and `#`, as the last one, for all that follow, none included: `builds.#` meets `builds` as well.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace mahavishnu::domain {

inline constexpr std::size_t kTopicBytes = 256;
// What the server itself tells of tasks, workflows and pools begins with this word.
inline constexpr std::string_view kEventWord = "event";

// InvalidArgument says what a topic, or a pattern, looks like.
base::Status check_topic(std::string_view topic);
base::Status check_pattern(std::string_view pattern);

bool is_wild(std::string_view pattern);  // it has a `*` or a `#`
bool matches(std::string_view pattern, std::string_view topic);
bool may_meet_events(std::string_view pattern);

// Any text as one word of a topic: what a word cannot hold is written as %XX.
std::string topic_word(std::string_view text);
// Where the messages to one repository go: "repo.NAME".
std::string inbox_of(std::string_view repository);
bool is_inbox(std::string_view topic);

}  // namespace mahavishnu::domain
