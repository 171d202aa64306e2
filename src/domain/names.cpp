#include "domain/names.h"

namespace mahavishnu::domain {

// FNV-1a, then mixed: names are short, and come from this machine's configuration and callers.
std::uint64_t hash_text(std::string_view text) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return mix64(hash);
}

std::uint32_t Names::find(std::string_view text) const {
  return index_.find(hash_text(text),
                     [&](std::uint32_t slot) { return entries_[slot].text == text; });
}

std::uint32_t Names::acquire(std::string_view text) {
  if (text.empty()) return kNone;
  std::uint32_t slot = find(text);
  if (slot == kNone) {
    slot = entries_.add();
    entries_[slot] = Entry{std::string(text), hash_text(text), 0};
    index_.insert(entries_[slot].hash, slot);
  }
  ++entries_[slot].users;
  return slot;
}

void Names::release(std::uint32_t name) {
  if (name == kNone || --entries_[name].users > 0) return;
  index_.erase(entries_[name].hash, name);
  entries_.remove(name);
}

const std::string& Names::text(std::uint32_t name) const {
  static const std::string none;
  return name == kNone ? none : entries_[name].text;
}

}  // namespace mahavishnu::domain
