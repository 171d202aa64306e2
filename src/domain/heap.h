// An indexed 4-ary min-heap of slot numbers whose keys and positions live with the things
// themselves.
//
// Four children a node halve the depth of a binary heap, and a node's children share a cache line.
// Every operation takes an `Order` with `less(a, b)` and `position(slot) -> std::uint32_t&`; the
// heap keeps each position current (kNone once out), so any entry is re-keyed or erased in O(log
// n).
#pragma once

#include <algorithm>
#include <cstdint>

#include "domain/slab.h"
#include "domain/slot_list.h"

namespace mahavishnu::domain {

class Heap {
 public:
  bool empty() const { return slots_.empty(); }
  std::size_t size() const { return slots_.size(); }
  std::uint32_t top() const { return slots_.front(); }

  template <class Order>
  void push(std::uint32_t slot, const Order& order) {
    slots_.push_back(slot);
    up(slots_.size() - 1, slot, order);
  }

  // The key of `slot` changed.
  template <class Order>
  void update(std::uint32_t slot, const Order& order) {
    const std::size_t at = order.position(slot);
    if (at > 0 && order.less(slot, slots_[(at - 1) / kArity])) {
      up(at, slot, order);
    } else {
      down(at, slot, order);
    }
  }

  template <class Order>
  void erase(std::uint32_t slot, const Order& order) {
    const std::size_t at = order.position(slot);
    order.position(slot) = kNone;
    const std::uint32_t last = slots_.back();
    slots_.pop_back();
    if (last == slot) return;
    order.position(last) = static_cast<std::uint32_t>(at);
    slots_[at] = last;
    update(last, order);
  }

 private:
  static constexpr std::size_t kArity = 4;

  template <class Order>
  void set(std::size_t at, std::uint32_t slot, const Order& order) {
    slots_[at] = slot;
    order.position(slot) = static_cast<std::uint32_t>(at);
  }
  template <class Order>
  void up(std::size_t at, std::uint32_t slot, const Order& order) {
    while (at > 0 && order.less(slot, slots_[(at - 1) / kArity])) {
      set(at, slots_[(at - 1) / kArity], order);
      at = (at - 1) / kArity;
    }
    set(at, slot, order);
  }
  template <class Order>
  void down(std::size_t at, std::uint32_t slot, const Order& order) {
    for (;;) {
      const std::size_t first = at * kArity + 1;
      if (first >= slots_.size()) break;
      std::size_t best = first;
      const std::size_t end = std::min(first + kArity, slots_.size());
      for (std::size_t child = first + 1; child < end; ++child) {
        if (order.less(slots_[child], slots_[best])) best = child;
      }
      if (!order.less(slots_[best], slot)) break;
      set(at, slots_[best], order);
      at = best;
    }
    set(at, slot, order);
  }

  SlotList slots_;
};

}  // namespace mahavishnu::domain
