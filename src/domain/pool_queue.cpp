// The plain version keeps one list a pool and scans it for the best task that may start: O(n) a
// placement. Here the scan is replaced by heaps of heads: band → caller → lane → task, each of
// which changes only where a head changes.
//
// Limits: the invariant that loses no wake-up is that at the end of a step a lane is parked only
// where the limit has no room for its first task, or where another lane's turn comes first (limits
// of different size on one repository). `released` puts a limit on a list; `wake` takes lanes off
// it until the room is spoken for or nobody waits, and the core places before it asks for more.
#include "domain/pool_queue.h"

#include <algorithm>
#include <bit>

namespace mahavishnu::domain {
namespace {

std::uint64_t hash_share(std::uint32_t pool, std::uint32_t caller) {
  return mix64((static_cast<std::uint64_t>(pool) << 32U) | caller);
}

std::uint64_t hash_lane(std::uint32_t share, const Claim& claim) {
  const std::uint64_t who = (static_cast<std::uint64_t>(share) << 32U) | claim.repo;
  const std::uint64_t what = (static_cast<std::uint64_t>(claim.flow) << 32U) | claim.max_per_repo;
  return mix64(mix64(who) ^ what);
}

bool same(const Claim& a, const Claim& b) {
  return a.repo == b.repo && a.flow == b.flow && a.max_per_repo == b.max_per_repo;
}

// Without a repository its limit says nothing, so it must not split lanes.
Claim normal(Claim claim) {
  if (claim.repo == kNone) claim.max_per_repo = 0;
  return claim;
}

int best_band(const Lane& lane) {
  int band = kPriorities - 1;
  while (band >= 0 && lane.first[static_cast<std::size_t>(band)] == kNone) --band;
  return band;
}

}  // namespace

PoolQueue::Level::Level() { cursor.fill(kNone); }

Share::Share() { at.fill(kNone); }

Lane::Lane() {
  first.fill(kNone);
  last.fill(kNone);
  at.fill(kNone);
}

struct PoolQueues::ShareOrder {
  PoolQueues& queues;
  std::uint8_t band;
  bool less(std::uint32_t a, std::uint32_t b) const {
    const Share& x = queues.shares_[a];
    const Share& y = queues.shares_[b];
    return x.running != y.running ? x.running < y.running : x.served < y.served;
  }
  std::uint32_t& position(std::uint32_t share) const { return queues.shares_[share].at[band]; }
};

struct PoolQueues::LaneOrder {
  PoolQueues& queues;
  std::uint8_t band;
  bool less(std::uint32_t a, std::uint32_t b) const {
    return queues.tasks_[queues.lanes_[a].first[band]].order <
           queues.tasks_[queues.lanes_[b].first[band]].order;
  }
  std::uint32_t& position(std::uint32_t lane) const { return queues.lanes_[lane].at[band]; }
};

struct PoolQueues::ParkedOrder {
  PoolQueues& queues;
  bool less(std::uint32_t a, std::uint32_t b) const { return queues.before(a, b); }
  std::uint32_t& position(std::uint32_t lane) const { return queues.lanes_[lane].parked_at; }
};

PoolQueues::PoolQueues(Tasks& tasks, Ledger& ledger, Millis aging)
    : tasks_(tasks), ledger_(ledger), aging_(aging) {}

void PoolQueues::add_pool(std::uint32_t pool) {
  if (pool >= queues_.size()) queues_.resize(pool + 1);
}

void PoolQueues::remove_pool(std::uint32_t pool) { queues_[pool] = PoolQueue{}; }

void PoolQueues::fetch(std::uint32_t pool, std::uint32_t share) const {
  domain::fetch(queues_[pool]);
  domain::fetch(shares_[share]);
}

void PoolQueues::fetch_next(std::uint32_t pool) const {
  const PoolQueue& queue = queues_[pool];
  if (queue.ready == 0) return;
  const auto band = static_cast<std::size_t>(std::bit_width(queue.ready)) - 1;
  domain::fetch(lanes_[shares_[queue.levels[band].band.top()].ready[band].top()]);
}

// ── Shares and lanes ─────────────────────────────────────────────────────────────────────────────

// A caller that comes (back) takes its place behind those already served, so that coming and going
// gains nothing.
std::uint32_t PoolQueues::join(std::uint32_t pool, std::uint32_t caller) {
  const std::uint64_t hash = hash_share(pool, caller);
  std::uint32_t slot = share_index_.find(hash, [&](std::uint32_t s) {
    return shares_[s].pool == pool && shares_[s].caller == caller;
  });
  if (slot == kNone) {
    slot = shares_.add();
    Share& share = shares_[slot];
    share.pool = pool;
    share.caller = caller;
    share.served = ++queues_[pool].served;
    share_index_.insert(hash, slot);
  }
  ++shares_[slot].users;
  return slot;
}

void PoolQueues::leave(std::uint32_t slot) {
  Share& share = shares_[slot];
  if (--share.users > 0) return;
  if (share.open_lane != kNone) drop_lane(share.open_lane);
  share_index_.erase(hash_share(share.pool, share.caller), slot);
  shares_.remove(slot);
}

std::uint32_t PoolQueues::lane_for(std::uint32_t share, const Claim& claim) {
  const bool open = claim.repo == kNone && claim.flow == kNone;
  if (open && shares_[share].open_lane != kNone) return shares_[share].open_lane;
  const std::uint64_t hash = hash_lane(share, claim);
  std::uint32_t slot = lane_index_.find(hash, [&](std::uint32_t l) {
    return lanes_[l].share == share && same(lanes_[l].claim, claim);
  });
  if (slot != kNone) return slot;
  slot = lanes_.add();
  lanes_[slot].share = share;
  lanes_[slot].claim = claim;
  lanes_[slot].turn = ++turn_;
  lane_index_.insert(hash, slot);
  if (open) shares_[share].open_lane = slot;
  return slot;
}

void PoolQueues::drop_lane(std::uint32_t lane) {
  lane_index_.erase(hash_lane(lanes_[lane].share, lanes_[lane].claim), lane);
  lanes_.remove(lane);
}

// ── Waiting ──────────────────────────────────────────────────────────────────────────────────────

void PoolQueues::push(std::uint32_t task, const Claim& wanted) {
  LiveTask& t = tasks_[task];
  PoolQueue& queue = queues_[t.pool];
  rise(queue, t.since);  // who rose before it came is before it
  const std::uint32_t slot = lane_for(t.share, normal(wanted));
  t.lane = slot;
  append(lanes_[slot], task, t.priority);
  arrive(queue, task);
  ++queue.size;
  if (t.previous == kNone) refresh(slot, t.band);
}

void PoolQueues::remove(std::uint32_t task) {
  LiveTask& t = tasks_[task];
  const std::uint32_t slot = t.lane;
  Lane& lane = lanes_[slot];
  depart(queues_[t.pool], task);
  --queues_[t.pool].size;
  const bool was_first = t.previous == kNone;
  unlink(lane, task);
  t.lane = kNone;
  if (was_first) refresh(slot, t.band);
  if (lane.size == 0 && slot != shares_[lane.share].open_lane) drop_lane(slot);
}

void PoolQueues::take(std::uint32_t task) {
  lanes_[tasks_[task].lane].turn = ++turn_;
  remove(task);
}

void PoolQueues::append(Lane& lane, std::uint32_t task, std::uint8_t band) {
  LiveTask& t = tasks_[task];
  t.band = band;
  t.order = ++order_;
  t.previous = lane.last[band];
  t.next = kNone;
  (t.previous == kNone ? lane.first[band] : tasks_[t.previous].next) = task;
  lane.last[band] = task;
  ++lane.size;
}

void PoolQueues::unlink(Lane& lane, std::uint32_t task) {
  LiveTask& t = tasks_[task];
  (t.previous == kNone ? lane.first[t.band] : tasks_[t.previous].next) = t.next;
  (t.next == kNone ? lane.last[t.band] : tasks_[t.next].previous) = t.previous;
  t.previous = t.next = kNone;
  --lane.size;
}

// The first task of the lane in this band changed, came or went.
void PoolQueues::refresh(std::uint32_t slot, std::uint8_t band) {
  Lane& lane = lanes_[slot];
  if (lane.parked != Limit::None) {
    refresh_parked(slot);
  } else if (lane.first[band] == kNone) {
    if (lane.at[band] != kNone) hide(slot, band);
  } else if (lane.at[band] == kNone) {
    show(slot, band);
  } else {
    shares_[lane.share].ready[band].update(slot, LaneOrder{*this, band});
  }
}

void PoolQueues::refresh_parked(std::uint32_t slot) {
  Lane& lane = lanes_[slot];
  const Gate gate = gate_of(lane);
  if (lane.size == 0) {
    waiting(gate).erase(slot, ParkedOrder{*this});
    lane.parked = Limit::None;
  } else {
    waiting(gate).update(slot, ParkedOrder{*this});
  }
  released_.push_back(gate);  // another lane may be first now, and fit where this one did not
}

void PoolQueues::show(std::uint32_t slot, std::uint8_t band) {
  Share& share = shares_[lanes_[slot].share];
  share.ready[band].push(slot, LaneOrder{*this, band});
  if (share.at[band] == kNone) enter_band(lanes_[slot].share, band);
}

void PoolQueues::hide(std::uint32_t slot, std::uint8_t band) {
  Share& share = shares_[lanes_[slot].share];
  share.ready[band].erase(slot, LaneOrder{*this, band});
  if (share.ready[band].empty()) leave_band(lanes_[slot].share, band);
}

void PoolQueues::enter_band(std::uint32_t share, std::uint8_t band) {
  PoolQueue& queue = queues_[shares_[share].pool];
  queue.levels[band].band.push(share, ShareOrder{*this, band});
  queue.ready |= 1U << band;
}

void PoolQueues::leave_band(std::uint32_t share, std::uint8_t band) {
  PoolQueue& queue = queues_[shares_[share].pool];
  queue.levels[band].band.erase(share, ShareOrder{*this, band});
  if (queue.levels[band].band.empty()) queue.ready &= ~(1U << band);
}

// ── Whose turn it is ─────────────────────────────────────────────────────────────────────────────

std::uint32_t PoolQueues::next(std::uint32_t pool, MonoTime now) {
  PoolQueue& queue = queues_[pool];
  rise(queue, now);
  while (queue.ready != 0) {
    const auto band = static_cast<std::size_t>(std::bit_width(queue.ready)) - 1;
    const std::uint32_t lane = shares_[queue.levels[band].band.top()].ready[band].top();
    const Limit limit = closed(lane);
    if (limit == Limit::None) return lanes_[lane].first[band];
    park(lane, limit);
  }
  return kNone;
}

void PoolQueues::started(std::uint32_t share) {
  ++shares_[share].running;
  shares_[share].served = ++queues_[shares_[share].pool].served;
  rekey(share);
}

void PoolQueues::ended(std::uint32_t share) {
  --shares_[share].running;
  rekey(share);
}

void PoolQueues::rekey(std::uint32_t slot) {
  Share& share = shares_[slot];
  for (std::uint8_t band = 0; band < kPriorities; ++band) {
    if (share.at[band] == kNone) continue;
    queues_[share.pool].levels[band].band.update(slot, ShareOrder{*this, band});
  }
}

// ── Limits ───────────────────────────────────────────────────────────────────────────────────────

// Which shared limit keeps the lane's first task from starting. Where tasks with different limits
// meet in one repository, one that waits for fewer neighbours is not overtaken for ever: who comes
// after it and needs less waits behind it.
Limit PoolQueues::closed(std::uint32_t slot) {
  const Lane& lane = lanes_[slot];
  const Limit limit = ledger_.blocked(lane.claim);
  if (limit == Limit::Repo || limit == Limit::Flow) return limit;
  if (lane.claim.repo == kNone || lane.claim.repo >= at_repo_.size()) return Limit::None;
  const Heap& others = at_repo_[lane.claim.repo];
  if (others.empty()) return Limit::None;
  const bool stricter = lanes_[others.top()].claim.max_per_repo < lane.claim.max_per_repo;
  return stricter && before(others.top(), slot) ? Limit::Repo : Limit::None;
}

void PoolQueues::park(std::uint32_t slot, Limit limit) {
  Lane& lane = lanes_[slot];
  for (std::uint8_t band = 0; band < kPriorities; ++band) {
    if (lane.at[band] != kNone) hide(slot, band);
  }
  lane.parked = limit;
  waiting(gate_of(lane)).push(slot, ParkedOrder{*this});
}

void PoolQueues::unpark(std::uint32_t slot) {
  Lane& lane = lanes_[slot];
  waiting(gate_of(lane)).erase(slot, ParkedOrder{*this});
  lane.parked = Limit::None;
  for (std::uint8_t band = 0; band < kPriorities; ++band) {
    if (lane.first[band] != kNone) show(slot, band);
  }
}

void PoolQueues::released(const Claim& claim) {
  if (claim.repo != kNone && claim.repo < at_repo_.size() && !at_repo_[claim.repo].empty()) {
    released_.push_back({Limit::Repo, claim.repo, 0});
  }
  if (claim.flow != kNone && claim.flow < at_flow_.size() && !at_flow_[claim.flow].empty()) {
    released_.push_back({Limit::Flow, claim.flow, 0});
  }
}

std::uint32_t PoolQueues::room(Gate gate, const Claim& claim) const {
  const bool repo = gate.limit == Limit::Repo;
  const std::uint32_t taken = repo ? ledger_.in_repo(gate.slot) : ledger_.in_flow(gate.slot);
  const std::uint32_t limit = repo ? claim.max_per_repo : ledger_.flow_limit(gate.slot);
  return limit > taken ? limit - taken : 0;
}

// A lane brought back to a pool that cannot place it now stays ready there: it is parked again only
// if the room is gone by its turn, so each return is paid for by one turn.
std::uint32_t PoolQueues::bring_back() {
  for (; !released_.empty(); released_.pop_back()) {
    const Gate gate = released_.back();
    const Heap& lanes = waiting(gate);
    if (lanes.empty()) continue;
    const std::uint32_t slot = lanes.top();
    if (room(gate, lanes_[slot].claim) > gate.expected) {
      unpark(slot);
      return shares_[lanes_[slot].share].pool;
    }
    if (gate.expected > 0) left_.push_back({gate.limit, gate.slot, 0});
  }
  return kNone;
}

bool PoolQueues::wake_more() {
  released_.insert(released_.end(), left_.begin(), left_.end());
  left_.clear();
  return !released_.empty();
}

Heap& PoolQueues::waiting(Gate gate) {
  std::vector<Heap>& heaps = gate.limit == Limit::Repo ? at_repo_ : at_flow_;
  if (gate.slot >= heaps.size()) heaps.resize(gate.slot + 1);
  return heaps[gate.slot];
}

PoolQueues::Gate PoolQueues::gate_of(const Lane& lane) const {
  return {lane.parked, lane.parked == Limit::Repo ? lane.claim.repo : lane.claim.flow, 0};
}

// By band, then by turn: callers and pools that wait for one limit get it in turns, however many
// tasks each has there. Both lanes have a task.
bool PoolQueues::before(std::uint32_t a, std::uint32_t b) const {
  const int x = best_band(lanes_[a]);
  const int y = best_band(lanes_[b]);
  return x != y ? x > y : lanes_[a].turn < lanes_[b].turn;
}

// ── Rising by waiting ────────────────────────────────────────────────────────────────────────────

MonoTime PoolQueues::rises_at(const LiveTask& task, int band) const {
  return task.since + aging_ * (band - task.priority);
}

void PoolQueues::arrive(PoolQueue& queue, std::uint32_t task) {
  LiveTask& t = tasks_[task];
  const std::size_t p = t.priority;
  PoolQueue::Level& level = queue.levels[p];
  t.earlier = level.newest;
  t.later = kNone;
  (t.earlier == kNone ? level.oldest : tasks_[t.earlier].later) = task;
  level.newest = task;
  if (aging_.count() <= 0 || p + 1 == kPriorities) return;
  for (std::size_t band = p + 1; band < kPriorities; ++band) {
    if (level.cursor[band] == kNone) level.cursor[band] = task;
  }
  queue.rise_at = std::min(queue.rise_at, rises_at(t, t.priority + 1));
}

void PoolQueues::depart(PoolQueue& queue, std::uint32_t task) {
  LiveTask& t = tasks_[task];
  PoolQueue::Level& level = queue.levels[t.priority];
  for (std::uint32_t& cursor : level.cursor) {
    if (cursor == task) cursor = t.later;
  }
  (t.earlier == kNone ? level.oldest : tasks_[t.earlier].later) = t.later;
  (t.later == kNone ? level.newest : tasks_[t.later].earlier) = t.earlier;
  t.earlier = t.later = kNone;
}

void PoolQueues::rise(PoolQueue& queue, MonoTime now) {
  if (now < queue.rise_at) return;
  queue.rise_at = MonoTime::max();
  for (std::size_t p = 0; p + 1 < kPriorities; ++p) {
    for (std::size_t band = p + 1; band < kPriorities; ++band) {
      std::uint32_t& cursor = queue.levels[p].cursor[band];
      while (cursor != kNone && rises_at(tasks_[cursor], static_cast<int>(band)) <= now) {
        const std::uint32_t task = cursor;
        cursor = tasks_[task].later;
        rise_to(task, static_cast<std::uint8_t>(band));
      }
      if (cursor == kNone) continue;
      queue.rise_at = std::min(queue.rise_at, rises_at(tasks_[cursor], static_cast<int>(band)));
    }
  }
}

void PoolQueues::rise_to(std::uint32_t task, std::uint8_t band) {
  LiveTask& t = tasks_[task];
  Lane& lane = lanes_[t.lane];
  const std::uint8_t from = t.band;
  const bool was_first = t.previous == kNone;
  unlink(lane, task);
  append(lane, task, band);
  if (was_first) refresh(t.lane, from);
  if (t.previous == kNone) refresh(t.lane, band);
}

}  // namespace mahavishnu::domain
