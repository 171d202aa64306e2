// Who waits for which task, workflow or output to change. Bounded; one thread.
//
// A Watch is registered before the state is read, so that no change between reading and waiting is
// missed: what changed in between makes the next wait return at once.
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/asio.h"
#include "base/ids.h"
#include "base/result.h"
#include "control/alarms.h"

namespace mahavishnu::control {

enum class Topic : std::uint8_t { State, Output };

struct WatchKey {
  base::Ulid id;
  Topic topic = Topic::State;
  bool operator==(const WatchKey&) const = default;
};

class Watchers;

class Watch {
 public:
  Watch(Watchers& watchers, std::vector<WatchKey> keys);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Resumes when something watched changed since the last call (true) or at `until` (false).
  // Unavailable when the server stops, Cancelled when the coroutine is cancelled.
  base::awaitable<base::Result<bool>> changed(base::MonoTime until);

 private:
  friend class Watchers;
  void wake() {
    changed_ = true;
    ready_.cancel();
  }

  Watchers& watchers_;
  std::vector<WatchKey> keys_;
  asio::steady_timer ready_;
  bool changed_ = false;
};

class Watchers {
 public:
  Watchers(asio::any_io_executor executor, Alarms& alarms, std::size_t most)
      : executor_(std::move(executor)), alarms_(alarms), most_(most) {}

  // Exhausted when too many wait already.
  base::Status room() const;
  void notify(base::Ulid id, Topic topic = Topic::State);
  void stop();  // ends every wait with Unavailable
  std::size_t size() const { return waiting_; }

 private:
  friend class Watch;
  struct Hash {
    std::size_t operator()(const WatchKey& key) const noexcept {
      return static_cast<std::size_t>(key.id.low ^ (key.id.high * 0x9E3779B97F4A7C15ULL)) +
             static_cast<std::size_t>(key.topic);
    }
  };

  asio::any_io_executor executor_;
  Alarms& alarms_;
  std::size_t most_;
  std::size_t waiting_ = 0;
  bool stopped_ = false;
  std::unordered_map<WatchKey, std::vector<Watch*>, Hash> watches_;
};

}  // namespace mahavishnu::control
