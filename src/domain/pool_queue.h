// The queues of all pools: who is next, by band, then caller, then turn, past what a limit blocks.
//
// A pool's queue has five bands (priorities that rise by waiting). Within a band the caller with
// the fewest running tasks in the pool is next, then the one served longest ago. A caller's tasks
// lie in lanes: all tasks of a lane need the same limits (repository, workflow), so a limit that is
// full takes a whole lane out of the way, in O(log n) however many tasks wait in it, and its end
// brings the lane back. It knows no pool's slots: the core asks for the next task when a pool has
// one free. One thread. Slots and positions are indexes, so nothing here is iterated in an unstable
// order.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"
#include "domain/flat_index.h"
#include "domain/heap.h"
#include "domain/ledger.h"
#include "domain/live_task.h"

namespace mahavishnu::domain {

// The part of a pool's queue that belongs to the pool.
struct alignas(kCacheLine) PoolQueue {
  // One of the five priorities, as a band of those whose turn is next and as what arrived with it.
  struct Level {
    Level();

    Heap band;  // shares with a task that may start, by whose turn it is
    // Every waiting task of this priority, in order of arrival. cursor[b] is the first that has not
    // risen to band b yet: tasks of one priority rise in order of arrival.
    std::uint32_t oldest = kNone, newest = kNone;
    std::array<std::uint32_t, kPriorities> cursor;
  };

  MonoTime rise_at = MonoTime::max();  // no task rises before it
  std::uint64_t served = 0;
  std::uint32_t size = 0;
  std::uint32_t ready = 0;  // a bit a level: its band is not empty
  std::array<Level, kPriorities> levels;
};

// A caller in a pool.
struct alignas(kCacheLine) Share {
  Share();

  std::uint32_t pool = kNone;
  std::uint32_t caller = kNone;
  std::uint32_t users = 0;  // live tasks of it
  std::uint32_t running = 0;
  std::uint64_t served = 0;                   // turn of its last start
  std::array<std::uint32_t, kPriorities> at;  // position in the pool's band
  std::uint32_t open_lane = kNone;            // of tasks that need no limit
  std::array<Heap, kPriorities> ready;        // lanes, by their first task in the band
};

// The waiting tasks of a share that need the same limits.
struct alignas(kCacheLine / 2) Lane {
  Lane();

  std::uint32_t share = kNone;
  Claim claim;
  std::uint32_t size = 0;
  std::uint64_t turn = 0;  // of its last start; lanes at one limit take turns
  std::array<std::uint32_t, kPriorities> first, last;
  std::array<std::uint32_t, kPriorities> at;  // position in the share's band
  Limit parked = Limit::None;                 // Repo or Flow: it waits there
  std::uint32_t parked_at = kNone;
};

class PoolQueues {
 public:
  PoolQueues(Tasks& tasks, Ledger& ledger, Millis aging);

  // Pools are known by slot. A new pool's queue is empty; a removed pool's must be.
  void add_pool(std::uint32_t pool);
  void remove_pool(std::uint32_t pool);
  const PoolQueue& queue(std::uint32_t pool) const { return queues_[pool]; }
  // What is needed soon is on its way from memory while other work goes on (slab.h): a pool's queue
  // and one of its callers; and the lane that is next in it.
  void fetch(std::uint32_t pool, std::uint32_t share) const;
  void fetch_next(std::uint32_t pool) const;

  // The share of `caller` in `pool`, counted once more for one live task.
  std::uint32_t join(std::uint32_t pool, std::uint32_t caller);
  void leave(std::uint32_t share);
  const Share& share(std::uint32_t share) const { return shares_[share]; }
  const Lane& lane(std::uint32_t lane) const { return lanes_[lane]; }

  // The task's share, priority, claim and `since` are set. It waits from now on.
  void push(std::uint32_t task, const Claim& claim);
  // The task whose turn it is and that no limit blocks, or kNone. Parks the lanes it passes.
  std::uint32_t next(std::uint32_t pool, MonoTime now);
  void remove(std::uint32_t task);  // it waits no longer
  void take(std::uint32_t task);    // the same, because it is placed: its lane had its turn

  void started(std::uint32_t share);
  void ended(std::uint32_t share);

  // Room came back under these limits: wake() is to look at what waits there.
  void released(const Claim& claim);
  // Brings one lane back that a limit with room held, and answers its pool; kNone: that is all for
  // now. As many as there is room for and whose pool `places` now; the others are no loss.
  template <class Places>
  std::uint32_t wake(const Places& places) {
    const std::uint32_t pool = bring_back();
    if (pool != kNone && places(pool)) ++released_.back().expected;
    return pool;
  }
  // After what was brought back has been placed: whether there is room left for others to wake.
  bool wake_more();

  // How many tasks would be placed before this one if nothing else came and no limit blocked.
  int ahead_of(std::uint32_t task) const;
  // The first inconsistency found, or "". O(waiting); for tests.
  std::string check() const;

 private:
  struct ShareOrder;
  struct LaneOrder;
  struct ParkedOrder;
  struct Gate {
    Limit limit;
    std::uint32_t slot;
    std::uint32_t expected = 0;  // lanes brought back that are about to use its room
  };

  std::uint32_t bring_back();
  std::uint32_t room(Gate gate, const Claim& claim) const;
  std::uint32_t lane_for(std::uint32_t share, const Claim& claim);
  void drop_lane(std::uint32_t lane);
  void append(Lane& lane, std::uint32_t task, std::uint8_t band);
  void unlink(Lane& lane, std::uint32_t task);
  void refresh(std::uint32_t lane, std::uint8_t band);
  void refresh_parked(std::uint32_t lane);
  void show(std::uint32_t lane, std::uint8_t band);
  void hide(std::uint32_t lane, std::uint8_t band);
  void enter_band(std::uint32_t share, std::uint8_t band);
  void leave_band(std::uint32_t share, std::uint8_t band);
  void rekey(std::uint32_t share);
  Limit closed(std::uint32_t lane);
  void park(std::uint32_t lane, Limit limit);
  void unpark(std::uint32_t lane);
  Heap& waiting(Gate gate);
  Gate gate_of(const Lane& lane) const;
  bool before(std::uint32_t lane, std::uint32_t other) const;
  void arrive(PoolQueue& queue, std::uint32_t task);
  void depart(PoolQueue& queue, std::uint32_t task);
  void rise(PoolQueue& queue, MonoTime now);
  void rise_to(std::uint32_t task, std::uint8_t band);
  MonoTime rises_at(const LiveTask& task, int band) const;

  Tasks& tasks_;
  Ledger& ledger_;
  Millis aging_;
  std::uint64_t order_ = 0;  // of tasks
  std::uint64_t turn_ = 0;   // of lanes
  Slab<Share> shares_;
  Slab<Lane> lanes_;
  FlatIndex share_index_, lane_index_;
  std::vector<PoolQueue> queues_;
  std::vector<Heap> at_repo_, at_flow_;  // parked lanes, by whose turn it is
  std::vector<Gate> released_, left_;
};

}  // namespace mahavishnu::domain
