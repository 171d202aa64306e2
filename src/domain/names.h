// Strings that many tasks share (callers, repositories, label sets), as counted numbers.
//
// A task keeps 4 bytes for each; the text is kept once and freed with its last user.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "domain/flat_index.h"
#include "domain/slab.h"

namespace mahavishnu::domain {

std::uint64_t hash_text(std::string_view text);

class Names {
 public:
  // The number of `text`, counted once more; "" is kNone and not counted.
  std::uint32_t acquire(std::string_view text);
  // The number of `text` when someone holds it, without counting.
  std::uint32_t find(std::string_view text) const;
  void release(std::uint32_t name);
  const std::string& text(std::uint32_t name) const;  // "" for kNone
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::string text;
    std::uint64_t hash = 0;
    std::uint32_t users = 0;
  };
  Slab<Entry> entries_;
  FlatIndex index_;
};

}  // namespace mahavishnu::domain
