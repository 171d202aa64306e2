#include "control/message_bus.h"

#include <limits>
#include <utility>

#include "base/log.h"
#include "control/one_shot.h"

namespace mahavishnu::control {
namespace {

using domain::Result;
using domain::Status;

// What calls wait for: messages of a group, room in one (0: in the whole bus).
constexpr int kMessages = 1;
constexpr int kRoom = 2;

}  // namespace

MessageBus::MessageBus(asio::any_io_executor executor, MessageBusOptions options, Timers& timers,
                       domain::MessageStore& store)
    : executor_(executor),
      timers_(timers),
      store_(store),
      bus_(std::move(options.bus)),
      alarms_(timers),
      watchers_(executor, alarms_, options.max_waiters),
      turns_(watchers_, [this](Turns::Key key) { offer(key); }),
      ids_(options.id_seed == 0 ? base::UlidSource() : base::UlidSource(options.id_seed)) {}

void MessageBus::start(domain::BusSnapshot snapshot) {
  write_behind(bus_.restore(std::move(snapshot), timers_.now()));
  arm();
}

void MessageBus::stop() {
  stopped_ = true;
  watchers_.stop();
  alarms_.clear();
}

// `written` runs even when the call that wrote has been cancelled meanwhile.
base::awaitable<Status> MessageBus::write(domain::BusChange change, Written written) {
  auto shot = std::make_shared<OneShot<Status>>(executor_);
  store_.append(std::move(change), [this, shot, written = std::move(written)](Status status) {
    if (!stopped_) written(status);
    shot->set(std::move(status));
  });
  co_return co_await OneShot<Status>::wait(shot);
}

// Nobody waits for it: what is lost of it comes again after a crash, which at least once allows.
void MessageBus::write_behind(domain::BusChange change) {
  if (change.empty()) return;
  store_.append(std::move(change), [](const Status& status) {
    if (status) return;
    base::log()->warn("a change of messages was not written, some may come again: {}",
                      status.error().message);
  });
}

MessageBus::Answer<MessageBus::Published> MessageBus::publish(domain::NewMessage message,
                                                              base::Millis wait) {
  const domain::MessageId id{ids_.next(timers_.now().wall)};
  const base::MonoTime until = timers_.now().mono + wait;
  std::optional<Turn> turn;
  Result<domain::Bus::Published> published;
  while (true) {
    published = bus_.publish(message, id, timers_.now());
    if (published) break;
    const bool blocked = published.error().code == domain::ErrorCode::Exhausted;
    if (!blocked || wait <= base::Millis{0}) co_return domain::fail(published.error());
    const Turns::Key key{kRoom, bus_.blocked_by()};
    if (!turn || turn->key() != key) {
      turn.reset();
      if (auto place = watchers_.room(); !place) co_return domain::fail(place.error());
      turn.emplace(turns_, key);
    }
    auto came = co_await turn->wait(until);
    if (!came) co_return domain::fail(came.error());
    if (!*came) co_return domain::fail(published.error());
  }
  turn.reset();  // there may be room for the next
  const domain::MessageNo no = published->no;
  const auto written = [this, no](const Status& status) {
    if (!status) {
      bus_.refused(no);
      return room();
    }
    wake(bus_.persisted(no));
    arm();
  };
  auto change = std::move(published->change);
  if (!change.left.empty()) {  // who waits for a group that was disconnected is told so
    wake(change.left);
    room();
  }
  auto status = co_await write(std::move(change), written);
  if (!status) co_return domain::fail(status.error());
  co_return Published{id, published->groups, published->dropped};
}

MessageBus::Answer<domain::GroupNo> MessageBus::join(std::string group, std::string pattern,
                                                     bool earliest) {
  auto joined = bus_.join(group, pattern, earliest, timers_.now());
  if (!joined) co_return domain::fail(joined.error());
  const domain::GroupNo no = joined->no;
  if (!joined->fresh) co_return no;
  arm();
  const auto written = [this, no](const Status& status) {
    if (!status) bus_.unjoin(no);
  };
  auto change = std::move(joined->change);
  auto status = co_await write(std::move(change), written);
  if (!status) co_return domain::fail(status.error());
  co_return no;
}

MessageBus::Answer<MessageBus::Polled> MessageBus::poll(PollArgs args, base::Millis wait) {
  const base::MonoTime until = timers_.now().mono + wait;
  Polled polled;
  std::optional<Turn> turn;
  bool last = wait <= base::Millis{0};
  while (true) {
    // Each time anew: while the call waited its group may have been disconnected, which is told, or
    // let go.
    auto joined = co_await join(args.group, args.pattern, args.earliest);
    if (!joined) co_return domain::fail(joined.error());
    if (polled.group != *joined) turn.reset();
    polled.group = *joined;
    polled.messages = bus_.take(polled.group, args.consumer, args.limits, timers_.now());
    if (!polled.messages.empty()) arm();
    if (!polled.messages.empty() || last) co_return polled;
    if (!turn) {
      if (auto place = watchers_.room(); !place) co_return domain::fail(place.error());
      turn.emplace(turns_, Turns::Key{kMessages, polled.group});
    }
    auto came = co_await turn->wait(until);
    if (!came) co_return domain::fail(came.error());
    last = !*came;
  }
}

void MessageBus::put_back(domain::GroupNo group, const std::vector<domain::MessageNo>& messages) {
  if (messages.empty()) return;
  bus_.put_back(group, messages);
  wake({group});
}

MessageBus::Answer<MessageBus::Settled> MessageBus::ack(std::string group,
                                                        std::vector<domain::MessageId> messages,
                                                        bool retry) {
  auto settled = retry ? bus_.retry(group, messages) : bus_.ack(group, messages);
  if (!settled) co_return domain::fail(settled.error());
  // Room at work for the group's next ones, and in it for publishers.
  if (const auto no = bus_.find(group)) wake({*no});
  room();
  auto change = std::move(settled->change);
  if (!change.empty()) {
    auto status = co_await write(std::move(change), [](const Status&) {});
    if (!status) co_return domain::fail(status.error());
  }
  co_return Settled{std::move(settled->done), std::move(settled->unknown)};
}

void MessageBus::tell(domain::NewMessage event) {
  if (stopped_ || !bus_.wants_events()) return;
  const domain::Moment now = timers_.now();
  wake(bus_.tell(std::move(event), {ids_.next(now.wall)}, now));
}

void MessageBus::wake(const std::vector<domain::GroupNo>& groups) {
  for (const domain::GroupNo group : groups) offer({kMessages, group});
}

void MessageBus::room() { turns_.offer_all(kRoom); }

// Wakes as many as there is something for. Who waits for a group that is no more has to know.
void MessageBus::offer(Turns::Key key) {
  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  const auto [kind, group] = key;
  if (kind == kRoom && group == 0) return turns_.wake(key, bus_.has_room() ? 1 : 0);
  if (!bus_.has(group)) return turns_.wake(key, kAll);
  turns_.wake(key, kind == kRoom ? bus_.room(group) : bus_.takeable(group));
}

void MessageBus::arm() {
  if (stopped_) return;
  const base::MonoTime next = bus_.next_due(timers_.now());
  if (next >= alarm_at_) return;  // one that rings too early does no harm
  if (alarm_) alarms_.cancel(*alarm_);
  alarm_at_ = next;
  alarm_ = alarms_.at(next, [this] { ring(); });
}

void MessageBus::ring() {
  alarm_.reset();
  alarm_at_ = base::MonoTime::max();
  domain::Bus::Due due = bus_.due(timers_.now());
  for (const auto& late : due.late) {
    if (late.times > 1 && !late.dead) continue;
    base::log()->warn("consumer \"{}\" of group \"{}\" did not acknowledge {} in time{}",
                      late.consumer, late.group, late.message.str(),
                      late.dead ? "; it was given out too often and is dead" : "");
  }
  for (const auto& name : due.idle) {
    base::log()->info("group \"{}\" is let go: nobody has asked for it", name);
  }
  write_behind(std::move(due.change));
  wake(due.woken);
  if (due.room) room();
  arm();
}

}  // namespace mahavishnu::control
