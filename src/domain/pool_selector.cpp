#include "domain/pool_selector.h"

#include "domain/names.h"

namespace mahavishnu::domain {
namespace {

// Points a pool has on the affinity ring: enough to spread keys within some tens of percent.
constexpr std::uint64_t kPoints = 16;

std::uint64_t point(std::uint64_t seed, std::uint64_t number) {
  return mix64(seed + number * 0x9E3779B97F4A7C15ULL);
}

}  // namespace

struct PoolSelector::LoadOrder {
  PoolSelector& selector;
  bool less(std::uint32_t a, std::uint32_t b) const { return selector.less_loaded(a, b); }
  std::uint32_t& position(std::uint32_t pool) const { return selector.loads_[pool].heap_at; }
};

// A pool with no workers comes after all others; equal loads by slot, so that runs repeat.
bool PoolSelector::less_loaded(std::uint32_t a, std::uint32_t b) const {
  const Load& x = loads_[a];
  const Load& y = loads_[b];
  if ((x.workers == 0) != (y.workers == 0)) return y.workers == 0;
  const std::uint64_t left = static_cast<std::uint64_t>(x.used) * (y.workers == 0 ? 1 : y.workers);
  const std::uint64_t right = static_cast<std::uint64_t>(y.used) * (x.workers == 0 ? 1 : x.workers);
  return left != right ? left < right : a < b;
}

void PoolSelector::add(std::uint32_t pool, const std::string& name,
                       const std::string& worker_type) {
  const auto [at, fresh] =
      group_of_.emplace(worker_type, static_cast<std::uint32_t>(groups_.size()));
  if (fresh) groups_.emplace_back();
  if (pool >= members_.size()) {
    loads_.resize(pool + 1);
    members_.resize(pool + 1);
  }
  members_[pool].group = at->second;
  members_[pool].seed = hash_text(name);
  for (std::uint64_t i = 0; i < kPoints; ++i) {
    groups_[at->second].ring.emplace(point(members_[pool].seed, i), pool);
  }
}

void PoolSelector::remove(std::uint32_t pool) {
  if (loads_[pool].heap_at != kNone) leave(pool);
  auto& ring = groups_[members_[pool].group].ring;
  for (std::uint64_t i = 0; i < kPoints; ++i) {
    const auto at = ring.find(point(members_[pool].seed, i));
    if (at != ring.end() && at->second == pool) ring.erase(at);
  }
  loads_[pool] = Load{};
  members_[pool] = Member{};
}

void PoolSelector::update(std::uint32_t pool, bool open, std::uint32_t used,
                          std::uint32_t workers) {
  Load& load = loads_[pool];
  const bool entered = load.heap_at != kNone;
  // A task that only goes from the queue to a worker is the same load.
  if (open == entered && load.used == used && load.workers == workers) return;
  load.used = used;
  load.workers = workers;
  if (open != entered) {
    open ? enter(pool) : leave(pool);
  } else if (open) {
    groups_[members_[pool].group].by_load.update(pool, LoadOrder{*this});
  }
}

void PoolSelector::enter(std::uint32_t pool) {
  Member& member = members_[pool];
  Group& group = groups_[member.group];
  group.by_load.push(pool, LoadOrder{*this});
  member.list_at = static_cast<std::uint32_t>(group.open.size());
  group.open.push_back(pool);
  if (group.turn == kNone) {
    member.before = member.after = group.turn = pool;
    return;
  }
  Member& turn = members_[group.turn];  // the newcomer is last in this round
  member.before = turn.before;
  member.after = group.turn;
  members_[turn.before].after = pool;
  turn.before = pool;
}

void PoolSelector::leave(std::uint32_t pool) {
  Member& member = members_[pool];
  Group& group = groups_[member.group];
  group.by_load.erase(pool, LoadOrder{*this});
  group.open[member.list_at] = group.open.back();
  members_[group.open.back()].list_at = member.list_at;
  group.open.pop_back();
  if (group.turn == pool) group.turn = member.after == pool ? kNone : member.after;
  members_[member.before].after = member.after;
  members_[member.after].before = member.before;
  member.list_at = member.before = member.after = kNone;
}

// Consistent hashing: the first point at or after the key's own, so that a pool that comes or goes
// moves only its share of the keys.
std::uint32_t PoolSelector::keyed(const Group& group, std::string_view key) const {
  if (group.ring.empty()) return kNone;
  auto at = group.ring.lower_bound(hash_text(key));
  if (at == group.ring.end()) at = group.ring.begin();
  return at->second;
}

std::uint32_t PoolSelector::choose(Selector selector, std::string_view worker_type,
                                   std::string_view key, std::uint64_t chance) {
  const auto at = group_of_.find(std::string(worker_type));
  if (at == group_of_.end()) return kNone;
  Group& group = groups_[at->second];
  if (group.open.empty()) return kNone;
  switch (selector) {
    case Selector::RoundRobin: {
      const std::uint32_t pool = group.turn;
      group.turn = members_[pool].after;
      return pool;
    }
    case Selector::Random:
      return group.open[static_cast<std::size_t>(chance % group.open.size())];
    case Selector::Affinity: {
      const std::uint32_t pool = keyed(group, key);
      if (pool != kNone && loads_[pool].heap_at != kNone) return pool;
      return group.by_load.top();
    }
    case Selector::LeastLoaded:
      break;
  }
  return group.by_load.top();
}

std::string PoolSelector::check() const {
  for (const Group& group : groups_) {
    if (group.open.size() != group.by_load.size()) return "a selector's lists differ";
    for (const std::uint32_t pool : group.open) {
      if (less_loaded(pool, group.by_load.top())) return "the least loaded pool is not on top";
      if (members_[members_[pool].after].before != pool) return "the ring of pools is broken";
    }
  }
  return "";
}

}  // namespace mahavishnu::domain
