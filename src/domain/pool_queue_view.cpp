// What others may ask the queues: how far back a task is, and whether all of it hangs together.
#include <algorithm>
#include <string>

#include "domain/pool_queue.h"

namespace mahavishnu::domain {

// Everything in higher bands; in its own band what its caller has before it; and of every other
// caller as many as get their turn before: callers are levelled by what they have running.
int PoolQueues::ahead_of(std::uint32_t task) const {
  const LiveTask& me = tasks_[task];
  const Share& mine = shares_[me.share];
  std::int64_t own = 0;
  std::int64_t higher = 0;
  std::vector<std::pair<std::uint32_t, std::int64_t>> others;  // share, how many in my band
  for (const PoolQueue::Level& level : queues_[me.pool].levels) {
    for (std::uint32_t at = level.oldest; at != kNone; at = tasks_[at].later) {
      const LiveTask& t = tasks_[at];
      if (at == task || t.band < me.band) continue;
      if (t.band > me.band) {
        ++higher;
      } else if (t.share == me.share) {
        own += t.order < me.order ? 1 : 0;
      } else {
        others.emplace_back(t.share, 1);
      }
    }
  }
  std::sort(others.begin(), others.end());
  std::int64_t ahead = higher + own;
  for (std::size_t i = 0; i < others.size();) {
    std::size_t end = i;
    while (end < others.size() && others[end].first == others[i].first) ++end;
    const Share& other = shares_[others[i].first];
    const std::int64_t level = static_cast<std::int64_t>(mine.running) + own - other.running +
                               (other.served < mine.served ? 1 : 0);
    ahead += std::clamp<std::int64_t>(level, 0, static_cast<std::int64_t>(end - i));
    i = end;
  }
  return static_cast<int>(ahead);
}

std::string PoolQueues::check() const {
  for (std::uint32_t slot = 0; slot < lanes_.end(); ++slot) {
    const Lane& lane = lanes_[slot];
    if (lane.share == kNone) continue;
    std::uint32_t size = 0;
    for (std::size_t band = 0; band < kPriorities; ++band) {
      std::uint64_t order = 0;
      for (std::uint32_t at = lane.first[band]; at != kNone; at = tasks_[at].next) {
        const LiveTask& t = tasks_[at];
        if (t.lane != slot || t.band != band) return "a task is in a lane that is not its own";
        if (t.order <= order) return "a lane is out of turn";
        if (t.share != lane.share || t.pool != shares_[lane.share].pool) return "a lane is mixed";
        order = t.order;
        ++size;
      }
      const bool shown = lane.at[band] != kNone;
      if (shown != (lane.parked == Limit::None && lane.first[band] != kNone)) {
        return "a lane is ready and parked at once, or neither";
      }
      if (shown && shares_[lane.share].at[band] == kNone)
        return "a ready lane's caller has no turn";
    }
    if (size != lane.size) return "a lane's size is wrong";
    if (lane.parked == Limit::None) continue;
    const bool repo = lane.parked == Limit::Repo;
    const Heap& others = repo ? at_repo_[lane.claim.repo] : at_flow_[lane.claim.flow];
    if (others.top() != slot) continue;
    if (room(gate_of(lane), lane.claim) > 0) return "a lane is parked where there is room";
  }
  return "";
}

}  // namespace mahavishnu::domain
