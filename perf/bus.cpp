// The message bus in memory: how many deliveries a second, and what slow subscribers cost.
//
// usage: bus state|calls MESSAGES GROUPS      (deliveries a second, confirmed)
//        bus slow MESSAGES GROUPS HANDLER_MS  (memory and handlers at work)
//
// state: the state machine alone, as the product's shell drives it. calls: through the shell, a
// hundred a poll and an ack, over a store that answers at once. slow: the same with a hundred
// consumers a group, each of which takes one message and HANDLER_MS to deal with it; the publisher
// waits for room (max_pending 1,000), so that whatever is published costs the same memory.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "control/message_bus.h"

namespace {

using namespace mahavishnu;
using base::Millis;
using control::MessageBus;

constexpr std::size_t kConsumers = 100;  // of each group
constexpr std::size_t kPending = 1000;
constexpr std::size_t kBatch = 100;
const std::string kBody(200, 'x');

// A disk that takes no time.
class NoDisk final : public domain::MessageStore {
 public:
  explicit NoDisk(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void append(domain::BusChange, std::function<void(base::Status)> done) override {
    asio::post(executor_, [done = std::move(done)] { done({}); });
  }

 private:
  asio::any_io_executor executor_;
};

long resident_bytes() {
  long pages = 0;
  long resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * ::sysconf(_SC_PAGESIZE);
}

void must(bool good, const char* what) {
  if (good) return;
  std::fprintf(stderr, "bus: %s\n", what);
  std::exit(1);
}

domain::NewMessage message() {
  domain::NewMessage message;
  message.topics = {"builds.api"};
  message.body = kBody;
  return message;
}

std::string group_name(int group) { return "group-" + std::to_string(group); }

domain::BusOptions bus_options() {
  domain::BusOptions options;
  options.max_pending = kPending;
  return options;
}

double seconds_since(base::MonoTime start) {
  return std::chrono::duration<double>(base::mono_now() - start).count();
}

int state(long messages, int groups) {
  domain::Bus bus(bus_options());
  base::UlidSource ids;
  const auto now = [] { return domain::Moment{base::wall_now(), base::mono_now(), 0}; };
  std::vector<domain::GroupNo> numbers;
  for (int i = 0; i < groups; ++i) {
    numbers.push_back(bus.join(group_name(i), "builds.*", false, now())->no);
  }
  const auto start = base::mono_now();
  for (long sent = 0; sent < messages;) {
    for (std::size_t i = 0; i < kBatch && sent < messages; ++i, ++sent) {
      const auto at = now();
      const auto published = bus.publish(message(), {ids.next(at.wall)}, at);
      must(published.has_value(), "no room");
      bus.persisted(published->no);
    }
    for (int i = 0; i < groups; ++i) {
      domain::Bus::TakeLimits limits;
      limits.messages = kBatch;
      std::vector<domain::MessageId> taken;
      for (const auto& one : bus.take(numbers[static_cast<std::size_t>(i)], "one", limits, now())) {
        taken.push_back(one.message->id);
      }
      must(bus.ack(group_name(i), taken)->done.size() == taken.size(), "an ack was lost");
    }
  }
  const double took = seconds_since(start);
  must(bus.counts().messages == 0, "messages are left");
  std::printf("{\"deliveries_per_second\": %.0f}\n", static_cast<double>(messages) * groups / took);
  return 0;
}

// A publisher and its groups on one loop, until every group has had every message.
class Office {
 public:
  Office(long messages, int groups, Millis handling)
      : messages_(messages),
        handling_(handling),
        left_(messages * groups),
        store_(io_.get_executor()),
        timers_(control::make_system_timers(io_.get_executor())),
        bus_(io_.get_executor(), {bus_options(), 10000, 0}, *timers_, store_),
        group_(io_.get_executor(), "bus bench") {
    bus_.start({});
    const bool slow = handling > Millis{0};
    for (int i = 0; i < groups; ++i) {
      for (std::size_t one = 0; one < (slow ? kConsumers : 1); ++one) {
        group_.spawn(consume(group_name(i), slow ? 1 : kBatch));
      }
    }
    io_.poll();  // the groups have joined
    io_.restart();
  }

  void run() {
    before_ = resident_bytes();
    const auto start = base::mono_now();
    group_.spawn(publish());
    io_.run();
    took_ = seconds_since(start);
    must(left_ == 0 && bus_.bus().counts().messages == 0, "messages are left");
  }

  double took() const { return took_; }
  long most_at_work() const { return most_at_work_; }
  long grown() const { return most_resident_ - before_; }

 private:
  base::awaitable<void> publish() {
    for (long sent = 0; sent < messages_; ++sent) {
      auto one = message();
      auto published = co_await bus_.publish(std::move(one), Millis{45000});
      must(published.has_value(), "a message was refused");
    }
  }

  base::awaitable<void> consume(std::string group, std::size_t at_once) {
    asio::steady_timer timer(io_);
    while (left_ > 0) {
      MessageBus::PollArgs args;
      args.group = group;
      args.pattern = "builds.*";
      args.consumer = "one";
      args.limits.messages = at_once;
      auto polled = co_await bus_.poll(std::move(args), Millis{45000});
      if (!polled) break;
      std::vector<domain::MessageId> taken;
      for (const auto& one : polled->messages) taken.push_back(one.message->id);
      if (taken.empty()) continue;
      if (handling_ > Millis{0}) co_await handle(timer);
      const auto count = static_cast<long>(taken.size());
      auto settled = co_await bus_.ack(group, std::move(taken), false);
      must(settled && static_cast<long>(settled->done.size()) == count, "an ack was lost");
      left_ -= count;
      if (left_ == 0) bus_.stop();  // who waits for more is sent home
    }
  }

  base::awaitable<void> handle(asio::steady_timer& timer) {
    most_at_work_ = std::max(most_at_work_, ++at_work_);
    if (++handled_ % 500 == 0) most_resident_ = std::max(most_resident_, resident_bytes());
    timer.expires_after(handling_);
    co_await timer.async_wait(base::as_result);
    --at_work_;
  }

  long messages_;
  Millis handling_;
  long left_;
  asio::io_context io_;
  NoDisk store_;
  std::unique_ptr<control::Timers> timers_;
  MessageBus bus_;
  base::TaskGroup group_;
  long at_work_ = 0, most_at_work_ = 0, handled_ = 0;
  long before_ = 0, most_resident_ = 0;
  double took_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  const std::string kind = argv[1];
  const long messages = std::atol(argv[2]);
  const int groups = std::atoi(argv[3]);
  if (kind == "state") return state(messages, groups);
  const Millis handling{kind == "slow" && argc == 5 ? std::atol(argv[4]) : 0};
  Office office(messages, groups, handling);
  office.run();
  std::printf(
      "{\"deliveries_per_second\": %.0f, \"seconds\": %.3f, \"most_at_work\": %ld, "
      "\"grown_bytes\": %ld}\n",
      static_cast<double>(messages) * groups / office.took(), office.took(), office.most_at_work(),
      office.grown());
  return 0;
}
