// The one kind of cache there is: bounded by entries and bytes, the least recently used leave
// first, entries may age, and callers who ask for the same thing at once share one load.
//
// What makes an entry wrong is told by `invalidate` (or `put`, with what is right): it is dropped,
// and a load that was under way then is done again before anybody is answered, so that nobody gets
// what was read before a change that came before his question. Age counts from the beginning of a
// load. One thread. Those who join a load are as many as there are calls, which their doors bound.
// Lifetime: loads that come to their end after the cache's own do nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::base {

struct CacheLimits {
  std::size_t max_entries = 1000;
  std::size_t max_bytes = std::numeric_limits<std::size_t>::max();
  Millis ttl{0};  // 0: entries do not age
};

struct CacheStats {
  std::size_t entries = 0, bytes = 0;
  std::uint64_t hits = 0, misses = 0;
  std::uint64_t joined = 0;  // of the misses: waited for a load that was under way
  std::uint64_t evicted = 0, expired = 0, invalidated = 0;

  double hit_ratio() const {
    const auto asked = hits + misses;
    return asked == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(asked);
  }
};

template <class Key, class Value, class Hash = std::hash<Key>>
class Cache {
 public:
  using Clock = std::function<MonoTime()>;
  using Weight = std::function<std::size_t(const Value&)>;  // bytes; empty: sizeof(Value)
  using Answer = std::function<void(const Result<Value>&)>;
  using Load = std::function<void(std::function<void(Result<Value>)>)>;

  // `clock` is needed where entries age.
  explicit Cache(CacheLimits limits, Weight weight = {}, Clock clock = {})
      : limits_(limits), weight_(std::move(weight)), clock_(std::move(clock)) {}
  Cache(const Cache&) = delete;
  Cache& operator=(const Cache&) = delete;

  // Null: not there, or too old. Valid until the next call that changes the cache.
  const Value* find(const Key& key) {
    const auto found = index_.find(key);
    if (found != index_.end() && expired(*found->second)) {
      ++stats_.expired;
      drop(found->second);
    } else if (found != index_.end()) {
      ++stats_.hits;
      entries_.splice(entries_.begin(), entries_, found->second);
      return &found->second->value;
    }
    ++stats_.misses;
    return nullptr;
  }

  // The same for whoever keeps entries up to date: neither counted nor a use.
  const Value* peek(const Key& key) const {
    const auto found = index_.find(key);
    return found == index_.end() ? nullptr : &found->second->value;
  }

  // One that is larger than all may be together is not kept.
  void put(const Key& key, Value value) {
    store(key, std::move(value), now());
    overtake(key);
  }

  // Answers from the cache, or with what `load` brings: at once in the first case, when all who ask
  // for `key` share the answer in the second. Errors are answered and not kept.
  void get(const Key& key, Load load, Answer answer) {
    if (const Value* value = find(key)) {
      const Result<Value> copy(*value);
      return answer(copy);
    }
    const auto [flight, fresh] = flights_.try_emplace(key);
    flight->second.waiting.push_back(std::move(answer));
    if (!fresh) {
      ++stats_.joined;
      return;
    }
    flight->second.load = std::move(load);
    begin(key);
  }

  // What is kept of `key` is wrong from now on.
  void invalidate(const Key& key) {
    const auto found = index_.find(key);
    if (found != index_.end()) {
      ++stats_.invalidated;
      drop(found->second);
    }
    overtake(key);
  }
  // A load of `key` that is under way may bring what was before: it is done again, or answered with
  // what is kept by then.
  void overtake(const Key& key) {
    if (flights_.empty()) return;
    const auto flight = flights_.find(key);
    if (flight != flights_.end()) flight->second.overtaken = true;
  }
  // How many entries there were.
  std::size_t clear() {
    const std::size_t count = entries_.size();
    stats_.invalidated += count;
    entries_.clear();
    index_.clear();
    bytes_ = 0;
    for (auto& [key, flight] : flights_) flight.overtaken = true;
    return count;
  }

  CacheStats stats() const {
    CacheStats stats = stats_;
    stats.entries = entries_.size();
    stats.bytes = bytes_;
    return stats;
  }
  const CacheLimits& limits() const { return limits_; }

 private:
  struct Entry {
    Key key;
    Value value;
    std::size_t bytes;
    MonoTime since;
  };
  using Entries = std::list<Entry>;
  struct Flight {
    Load load;
    std::vector<Answer> waiting;
    MonoTime begun{};
    bool overtaken = false;
  };

  MonoTime now() const { return limits_.ttl.count() > 0 ? clock_() : MonoTime{}; }
  bool expired(const Entry& entry) const {
    return limits_.ttl.count() > 0 && clock_() - entry.since >= limits_.ttl;
  }

  void begin(const Key& key) {
    Flight& flight = flights_.at(key);
    flight.begun = now();
    flight.overtaken = false;
    const Load load = flight.load;  // it may answer at once, and with that end the flight
    load([this, key, alive = std::weak_ptr<char>(alive_)](Result<Value> result) {
      if (!alive.expired()) arrived(key, std::move(result));
    });
  }

  void arrived(const Key& key, Result<Value> result) {
    const auto found = flights_.find(key);
    if (found == flights_.end()) return;
    if (found->second.overtaken) {
      // What was put meanwhile is right.
      const Value* put = peek(key);
      if (put == nullptr) return begin(key);
      result = *put;
    }
    const bool keep = result && !found->second.overtaken;
    const Flight flight = std::move(found->second);
    flights_.erase(found);
    if (keep) store(key, *result, flight.begun);
    for (const Answer& answer : flight.waiting) answer(result);
  }

  void store(const Key& key, Value value, MonoTime since) {
    const auto found = index_.find(key);
    if (found != index_.end()) drop(found->second);
    const std::size_t bytes = weight_ ? weight_(value) : sizeof(Value);
    if (bytes > limits_.max_bytes) return;
    entries_.push_front({key, std::move(value), bytes, since});
    index_.emplace(key, entries_.begin());
    bytes_ += bytes;
    while (entries_.size() > limits_.max_entries || bytes_ > limits_.max_bytes) {
      ++stats_.evicted;
      drop(std::prev(entries_.end()));
    }
  }

  void drop(typename Entries::iterator entry) {
    bytes_ -= entry->bytes;
    index_.erase(entry->key);
    entries_.erase(entry);
  }

  CacheLimits limits_;
  Weight weight_;
  Clock clock_;
  Entries entries_;  // the most recently used first
  std::unordered_map<Key, typename Entries::iterator, Hash> index_;
  std::unordered_map<Key, Flight, Hash> flights_;
  std::size_t bytes_ = 0;
  CacheStats stats_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

// The caches of a server by name, for metrics and for whoever wants one emptied.
class Caches {
 public:
  struct Named {
    std::string name;
    CacheLimits limits;
    std::function<CacheStats()> stats;
    std::function<std::size_t()> clear;  // how many entries it dropped
  };

  // `cache` must outlive this, or be forgotten before.
  template <class Any>
  void add(std::string name, Any& cache) {
    all_.push_back({std::move(name), cache.limits(), [&cache] { return cache.stats(); },
                    [&cache] { return cache.clear(); }});
  }
  const std::vector<Named>& all() const { return all_; }

 private:
  std::vector<Named> all_;
};

}  // namespace mahavishnu::base
