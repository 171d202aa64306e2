#include "domain/key_memory.h"

#include "domain/names.h"

namespace mahavishnu::domain {
namespace {

std::string joined(std::string_view caller, std::string_view key) {
  std::string text(caller);
  text += '\0';
  text += key;
  return text;
}

}  // namespace

std::uint32_t KeyMemory::find(std::string_view caller, std::string_view key) const {
  const std::string text = joined(caller, key);
  return index_.find(hash_text(text),
                     [&](std::uint32_t slot) { return entries_[slot].key == text; });
}

std::uint32_t KeyMemory::add(std::string_view caller, std::string_view key) {
  const std::uint32_t slot = entries_.add();
  entries_[slot].key = joined(caller, key);
  entries_[slot].hash = hash_text(entries_[slot].key);
  index_.insert(entries_[slot].hash, slot);
  return slot;
}

void KeyMemory::forget(std::uint32_t slot) {
  if (!entries_[slot].ended) {
    drop(slot);
  } else if (!entries_[slot].forgotten) {
    index_.erase(entries_[slot].hash, slot);
    entries_[slot].forgotten = true;
  }
}

void KeyMemory::drop(std::uint32_t slot) {
  if (!entries_[slot].forgotten) index_.erase(entries_[slot].hash, slot);
  entries_.remove(slot);
}

void KeyMemory::ended(std::uint32_t slot, MonoTime now) {
  entries_[slot].ended = true;
  leaving_.push_back({now, slot});
}

void KeyMemory::expire(MonoTime now) {
  while (!leaving_.empty() && (leaving_.front().ended + keep_ <= now || leaving_.size() > kMost)) {
    drop(leaving_.front().slot);
    last_left_ = leaving_.front().ended;
    leaving_.pop_front();
  }
}

}  // namespace mahavishnu::domain
