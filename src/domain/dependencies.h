// Which live task waits for which: edges that hang in two lists, so that either end can go first.
//
// It only knows who is joined to whom; what an outcome means to those that wait is the core's. The
// cells of a workflow are not in here: their plan says who waits for whom. One thread.
#pragma once

#include <cstdint>

#include "domain/live_task.h"

namespace mahavishnu::domain {

class Dependencies {
 public:
  explicit Dependencies(Tasks& tasks) : tasks_(tasks) {}

  // `waiter` waits for `needed`; adds one to its count of open dependencies.
  void join(std::uint32_t waiter, std::uint32_t needed);
  // `waiter` waits for nothing more (it ended otherwise).
  void forget(std::uint32_t waiter);
  // Takes one that waits for `needed` off the list, one fewer to wait for; kNone: nobody is left.
  std::uint32_t take_waiter(std::uint32_t needed);

  // Calls `visit(needed)` for what `waiter` waits for.
  template <class Visit>
  void each_need(std::uint32_t waiter, Visit visit) const {
    for (std::uint32_t e = tasks_[waiter].needs; e != kNone; e = edges_[e].next_need) {
      visit(edges_[e].needed);
    }
  }
  std::size_t size() const { return edges_.size(); }

 private:
  struct Edge {
    std::uint32_t waiter = kNone, needed = kNone;
    std::uint32_t next_need = kNone, previous_need = kNone;  // of the same waiter
    std::uint32_t next_feed = kNone, previous_feed = kNone;  // of the same needed task
  };
  void drop(std::uint32_t edge);

  Tasks& tasks_;
  Slab<Edge> edges_;
};

}  // namespace mahavishnu::domain
