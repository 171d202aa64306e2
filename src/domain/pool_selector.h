// Chooses the pool a new task is bound to, among those of its worker type that take work.
//
// Load is (queued + running) / target workers, compared exactly by cross multiplication in an
// indexed 4-ary heap a worker type: a change and a choice cost O(log pools). Pools that are paused,
// draining or full are out of it until they are back. It knows pools by slot only. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "domain/heap.h"
#include "domain/types.h"

namespace mahavishnu::domain {

class PoolSelector {
 public:
  // `name` decides where keys of the affinity selector go, so that they find the same pools again
  // after a restart.
  void add(std::uint32_t pool, const std::string& name, const std::string& worker_type);
  void remove(std::uint32_t pool);
  // Whether it takes work now, and how much it has.
  void update(std::uint32_t pool, bool open, std::uint32_t used, std::uint32_t workers);

  // kNone when no pool of this worker type takes work. `key` is for Affinity, `chance` for Random.
  std::uint32_t choose(Selector selector, std::string_view worker_type, std::string_view key,
                       std::uint64_t chance);

  std::string check() const;  // the first inconsistency, or ""; for tests

 private:
  struct LoadOrder;
  // What the heaps compare and move, apart from the rest: of 10,000 pools it stays in a core's
  // cache.
  struct Load {
    std::uint32_t used = 0;
    std::uint32_t workers = 0;
    std::uint32_t heap_at = kNone;  // kNone: takes no work
  };
  struct Member {
    std::uint32_t group = kNone;
    std::uint32_t list_at = kNone;
    std::uint32_t before = kNone, after = kNone;  // in the ring of those that take work
    std::uint64_t seed = 0;
  };
  struct Group {
    Heap by_load;
    std::vector<std::uint32_t> open;              // for Random
    std::uint32_t turn = kNone;                   // for RoundRobin: whose turn is next
    std::map<std::uint64_t, std::uint32_t> ring;  // for Affinity: points on a circle of hashes
  };

  bool less_loaded(std::uint32_t a, std::uint32_t b) const;
  void enter(std::uint32_t pool);
  void leave(std::uint32_t pool);
  std::uint32_t keyed(const Group& group, std::string_view key) const;

  std::vector<Load> loads_;  // of members_, by pool
  std::vector<Member> members_;
  std::vector<Group> groups_;
  std::unordered_map<std::string, std::uint32_t> group_of_;  // looked up, never iterated
};

}  // namespace mahavishnu::domain
