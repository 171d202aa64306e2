// A hash index from keys that live elsewhere to slot numbers: 8 bytes a cell, no allocation a key.
//
// Open addressing with linear probing; erasing shifts the cells behind back, so there are no
// tombstones. It is never iterated. The caller gives the hash (well mixed) and the equality.
#pragma once

#include <cstdint>
#include <vector>

#include "domain/slab.h"

namespace mahavishnu::domain {

// The finalizer of splitmix64 (Steele, Lea, Flood): mixes every bit into every other.
constexpr std::uint64_t mix64(std::uint64_t z) {
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

class FlatIndex {
 public:
  // `same(slot)`: is this the key looked for.
  template <class Same>
  std::uint32_t find(std::uint64_t hash, Same same) const {
    if (cells_.empty()) return kNone;
    const auto tag = static_cast<std::uint32_t>(hash);
    for (std::size_t at = tag & mask_;; at = (at + 1) & mask_) {
      const Cell& cell = cells_[at];
      if (cell.slot == kNone) return kNone;
      if (cell.tag == tag && same(cell.slot)) return cell.slot;
    }
  }

  void insert(std::uint64_t hash, std::uint32_t slot) {
    if ((size_ + 1) * 4 > cells_.size() * 3) grow();
    place({static_cast<std::uint32_t>(hash), slot});
    ++size_;
  }

  void erase(std::uint64_t hash, std::uint32_t slot) {
    std::size_t at = static_cast<std::uint32_t>(hash) & mask_;
    while (cells_[at].slot != slot) at = (at + 1) & mask_;
    for (std::size_t next = (at + 1) & mask_; cells_[next].slot != kNone;
         next = (next + 1) & mask_) {
      const std::size_t home = cells_[next].tag & mask_;
      if (((next - home) & mask_) >= ((next - at) & mask_)) {
        cells_[at] = cells_[next];
        at = next;
      }
    }
    cells_[at] = Cell{};
    --size_;
  }

  std::size_t size() const { return size_; }

 private:
  struct Cell {
    std::uint32_t tag = 0;
    std::uint32_t slot = kNone;
  };

  void place(Cell cell) {
    std::size_t at = cell.tag & mask_;
    while (cells_[at].slot != kNone) at = (at + 1) & mask_;
    cells_[at] = cell;
  }
  void grow() {
    std::vector<Cell> old = std::move(cells_);
    cells_.assign(old.empty() ? 16 : old.size() * 2, Cell{});
    mask_ = cells_.size() - 1;
    for (const Cell& cell : old) {
      if (cell.slot != kNone) place(cell);
    }
  }

  std::vector<Cell> cells_;
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace mahavishnu::domain
