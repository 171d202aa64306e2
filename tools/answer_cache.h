// Answers kept as text, so that asking again costs a look-up: least recently used go first.
//
// Bounded by their bytes. One thread.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

#include "mcp/kept_answer.h"

namespace mahavishnu::tools {

template <class Key>
class AnswerCache {
 public:
  explicit AnswerCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when there is no answer of exactly this version. Valid until the next `put`.
  const mcp::KeptAnswer* find(const Key& key, std::uint64_t version) {
    const auto at = index_.find(key);
    if (at == index_.end() || at->second->version != version) return nullptr;
    entries_.splice(entries_.begin(), entries_, at->second);
    return &at->second->answer;
  }

  void put(const Key& key, std::uint64_t version, mcp::KeptAnswer answer) {
    if (const auto at = index_.find(key); at != index_.end()) remove(at->second);
    if (answer.bytes() > max_bytes_) return;
    bytes_ += answer.bytes();
    entries_.push_front({key, version, std::move(answer)});
    index_[key] = entries_.begin();
    while (bytes_ > max_bytes_) remove(std::prev(entries_.end()));
  }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Key key;
    std::uint64_t version;
    mcp::KeptAnswer answer;
  };
  using Place = typename std::list<Entry>::iterator;

  void remove(Place place) {
    bytes_ -= place->answer.bytes();
    index_.erase(place->key);
    entries_.erase(place);
  }

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<Key, Place> index_;
};

}  // namespace mahavishnu::tools
