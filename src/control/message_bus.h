// The shell of domain::Bus: calls in, outcomes on disk out.
//
// It writes what the bus changed, wakes who waits for messages or for room, and lets the time act
// (late acks, expiry). An answer is given after what it tells of is on disk; a message is given out
// after it is. Waits are bounded. What a consumer took belongs to its group's bounds until it is
// acknowledged, so the work at any time is what consumers asked for. Control thread only; it knows
// no JSON. Lifetime: stopped before its ports; no callback has an effect after it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/asio.h"
#include "control/alarms.h"
#include "control/timers.h"
#include "control/turns.h"
#include "control/watchers.h"
#include "domain/bus.h"

namespace mahavishnu::control {

struct MessageBusOptions {
  domain::BusOptions bus;
  std::size_t max_waiters = 1000;  // calls that wait for messages or for room
  std::uint64_t id_seed = 0;       // of message ids; 0: the system's randomness
};

class MessageBus {
 public:
  template <class T>
  using Answer = base::awaitable<domain::Result<T>>;

  MessageBus(asio::any_io_executor executor, MessageBusOptions options, Timers& timers,
             domain::MessageStore& store);
  MessageBus(const MessageBus&) = delete;
  MessageBus& operator=(const MessageBus&) = delete;

  void start(domain::BusSnapshot snapshot);  // once, before all else
  void stop();                               // ends every wait with Unavailable

  struct Published {
    domain::MessageId id;
    int groups = 0;
    int dropped = 0;
  };
  // On disk when it answers. Waits so long for room where the topic's policy blocks.
  Answer<Published> publish(domain::NewMessage message, base::Millis wait);

  struct PollArgs {
    std::string group;
    std::string pattern;
    std::string consumer;
    bool earliest = false;
    domain::Bus::TakeLimits limits;
  };
  struct Polled {
    domain::GroupNo group = 0;
    std::vector<domain::MessageDelivery> messages;
  };
  // Waits so long for the first message; nothing is a good answer.
  Answer<Polled> poll(PollArgs args, base::Millis wait);
  // As if they had not been taken.
  void put_back(domain::GroupNo group, const std::vector<domain::MessageNo>& messages);

  struct Settled {
    std::vector<domain::MessageId> done, unknown;
  };
  // On disk when it answers. With `retry` they are given out again instead.
  Answer<Settled> ack(std::string group, std::vector<domain::MessageId> messages, bool retry);

  bool wants_events() const { return bus_.wants_events(); }
  void tell(domain::NewMessage event);

  const domain::Bus& bus() const { return bus_; }

 private:
  using Written = std::function<void(const domain::Status&)>;
  Answer<domain::GroupNo> join(std::string group, std::string pattern, bool earliest);
  base::awaitable<domain::Status> write(domain::BusChange change, Written written);
  void write_behind(domain::BusChange change);
  void wake(const std::vector<domain::GroupNo>& groups);
  void room();
  void offer(Turns::Key key);
  void arm();
  void ring();

  asio::any_io_executor executor_;
  Timers& timers_;
  domain::MessageStore& store_;
  domain::Bus bus_;
  Alarms alarms_;
  Watchers watchers_;
  Turns turns_;
  base::UlidSource ids_;
  std::optional<Alarms::Handle> alarm_;
  base::MonoTime alarm_at_ = base::MonoTime::max();
  bool stopped_ = false;
};

}  // namespace mahavishnu::control
