#include "journal/event_text.h"

#include <algorithm>

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kUlidLetters = 26;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }
bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Takes the id whose prefix ends at `underscore`, if there is one of this kind and none yet.
template <class Kind>
void take(std::string_view text, std::size_t underscore, base::Id<Kind>& into) {
  constexpr std::size_t kBefore = Kind::prefix.size() - 1;
  if (into || underscore < kBefore) return;
  const auto word = text.substr(underscore - kBefore, Kind::prefix.size() + kUlidLetters);
  if (!word.starts_with(Kind::prefix)) return;
  if (auto id = base::parse_ulid(word.substr(Kind::prefix.size()))) into.value = *id;
}

}  // namespace

void find_ids(domain::LogEntry& entry) {
  const std::string_view text = entry.text;
  for (auto at = text.find('_'); at != text.npos; at = text.find('_', at + 1)) {
    take(text, at, entry.task);
    take(text, at, entry.workflow);
    take(text, at, entry.pool);
  }
}

Words::Words(std::string_view query) {
  while (!query.empty()) {
    const auto* end = std::find_if(query.begin(), query.end(), is_blank);
    std::string word(query.begin(), end);
    std::transform(word.begin(), word.end(), word.begin(), lower);
    if (!word.empty()) words_.push_back(std::move(word));
    query.remove_prefix(std::min(query.size(), static_cast<std::size_t>(end - query.begin()) + 1));
  }
}

bool Words::in(std::string_view kind, std::string_view text) {
  lowered_.resize(kind.size() + 1 + text.size());
  auto out = std::transform(kind.begin(), kind.end(), lowered_.begin(), lower);
  *out++ = '\n';  // no word holds a blank, so none is found across it
  std::transform(text.begin(), text.end(), out, lower);
  return std::all_of(words_.begin(), words_.end(), [this](const std::string& word) {
    return lowered_.find(word) != std::string::npos;
  });
}

}  // namespace mahavishnu::journal
