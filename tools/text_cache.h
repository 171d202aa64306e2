// Answers kept as text, so that asking again costs a look-up: least recently used go first.
//
// Bounded by the bytes of its texts. One thread.
#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>
#include <utility>

namespace mahavishnu::tools {

template <class Key>
class TextCache {
 public:
  explicit TextCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // Null when there is no text of exactly this version. Valid until the next `put`.
  const std::string* find(const Key& key, std::uint64_t version) {
    const auto at = index_.find(key);
    if (at == index_.end() || at->second->version != version) return nullptr;
    entries_.splice(entries_.begin(), entries_, at->second);
    return &at->second->text;
  }

  void put(const Key& key, std::uint64_t version, std::string text) {
    if (const auto at = index_.find(key); at != index_.end()) remove(at->second);
    if (text.size() > max_bytes_) return;
    bytes_ += text.size();
    entries_.push_front({key, version, std::move(text)});
    index_[key] = entries_.begin();
    while (bytes_ > max_bytes_) remove(std::prev(entries_.end()));
  }

  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    Key key;
    std::uint64_t version;
    std::string text;
  };
  using Place = typename std::list<Entry>::iterator;

  void remove(Place place) {
    bytes_ -= place->text.size();
    index_.erase(place->key);
    entries_.erase(place);
  }

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::list<Entry> entries_;  // the most recently used first
  std::unordered_map<Key, Place> index_;
};

}  // namespace mahavishnu::tools
