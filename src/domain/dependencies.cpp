#include "domain/dependencies.h"

namespace mahavishnu::domain {

void Dependencies::join(std::uint32_t waiter, std::uint32_t needed) {
  const std::uint32_t slot = edges_.add();
  Edge& edge = edges_[slot];
  edge.waiter = waiter;
  edge.needed = needed;
  edge.next_need = tasks_[waiter].needs;
  edge.next_feed = tasks_[needed].feeds;
  if (edge.next_need != kNone) edges_[edge.next_need].previous_need = slot;
  if (edge.next_feed != kNone) edges_[edge.next_feed].previous_feed = slot;
  tasks_[waiter].needs = tasks_[needed].feeds = slot;
  ++tasks_[waiter].waits;
}

void Dependencies::drop(std::uint32_t slot) {
  const Edge edge = edges_[slot];
  (edge.previous_need == kNone ? tasks_[edge.waiter].needs : edges_[edge.previous_need].next_need) =
      edge.next_need;
  (edge.previous_feed == kNone ? tasks_[edge.needed].feeds : edges_[edge.previous_feed].next_feed) =
      edge.next_feed;
  if (edge.next_need != kNone) edges_[edge.next_need].previous_need = edge.previous_need;
  if (edge.next_feed != kNone) edges_[edge.next_feed].previous_feed = edge.previous_feed;
  --tasks_[edge.waiter].waits;
  edges_.remove(slot);
}

void Dependencies::forget(std::uint32_t waiter) {
  while (tasks_[waiter].needs != kNone) drop(tasks_[waiter].needs);
}

std::uint32_t Dependencies::take_waiter(std::uint32_t needed) {
  const std::uint32_t edge = tasks_[needed].feeds;
  if (edge == kNone) return kNone;
  const std::uint32_t waiter = edges_[edge].waiter;
  drop(edge);
  return waiter;
}

}  // namespace mahavishnu::domain
