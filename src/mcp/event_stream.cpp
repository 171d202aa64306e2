#include "mcp/event_stream.h"

#include <utility>

#include "mcp/unguessable.h"

namespace mahavishnu::mcp {

EventStream::EventStream(const std::shared_ptr<Replay>& replay, Exchange exchange, Of what,
                         base::Millis retry)
    : replay_(replay),
      exchange_(std::move(exchange)),
      token_(1, static_cast<char>(what)),
      retry_(retry) {}

void EventStream::open() {
  if (std::exchange(opened_, true)) return;
  if (exchange_->gone()) {
    lost_ = true;
    exchange_.reset();
    return;
  }
  token_ += unguessable_id();
  if (const auto replay = replay_.lock()) replay->add(shared_from_this());
  watch_peer();
  // Or a proxy may keep the events until the end.
  exchange_->start_stream({{"X-Accel-Buffering", "no"}}, primer());
  hold();
}

bool EventStream::forgo() {
  if (patience_) patience_->cancel();
  return !std::exchange(opened_, true);
}

void EventStream::be_patient(asio::any_io_executor executor, base::Millis time, base::Millis hold) {
  if (retry_.count() == 0) return;  // the client could not come back yet
  patience_.emplace(std::move(executor));
  hold_ = hold;
  after(time, &EventStream::open);
}

void EventStream::hold() {
  if (patience_ && hold_.count() > 0 && !ended_) after(hold_, &EventStream::cut);
}

void EventStream::after(base::Millis time, void (EventStream::*then)()) {
  patience_->expires_after(time);
  patience_->async_wait([weak = weak_from_this(), then](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->ended_) (self.get()->*then)();
  });
}

base::awaitable<bool> EventStream::send(std::string text) {
  const auto self = shared_from_this();
  open();
  if (lost_) co_return false;
  ++last_;
  // It goes on its way at once when it is next; but it is kept first, for the way may be long.
  const bool next = exchange_ && !sending_ && delivered_ + 1 == last_;
  const auto replay = replay_.lock();
  if (replay) {
    replay->keep(*this, text);
  }
  if (next) co_await deliver(last_, std::move(text));
  co_await deliver_kept();
  co_return true;
}

base::awaitable<void> EventStream::end(std::string last) {
  const auto self = shared_from_this();
  if (!last.empty()) co_await send(std::move(last));
  open();
  ended_ = true;
  if (patience_) patience_->cancel();
  if (alone_) alone_->cancel();
  if (const auto replay = replay_.lock()) replay->ended(*this);
  co_await deliver_kept();
}

base::awaitable<void> EventStream::resume(Exchange exchange, std::uint64_t after) {
  const auto self = shared_from_this();
  const Exchange before = std::exchange(exchange_, std::move(exchange));
  delivered_ = after;
  if (alone_) alone_->cancel();
  if (before) before->end_stream();
  watch_peer();
  if (exchange_) exchange_->start_stream({{"X-Accel-Buffering", "no"}}, primer());
  hold();
  co_await deliver_kept();
}

void EventStream::when_left(asio::any_io_executor executor, base::Millis time,
                            std::function<void()> over) {
  alone_.emplace(std::move(executor));
  alone_at_most_ = time;
  over_ = std::move(over);
}

bool EventStream::can_go_on_after(std::uint64_t number) const {
  return number <= last_ && number + kept_.size() >= last_;
}

void EventStream::watch_peer() {
  exchange_->on_gone([weak = weak_from_this(), was = exchange_.get()] {
    const auto self = weak.lock();
    if (self && self->exchange_.get() == was) self->left();
  });
}

void EventStream::left() {
  exchange_.reset();
  if (!alone_ || ended_) return;
  alone_->expires_after(alone_at_most_);
  alone_->async_wait([weak = weak_from_this()](const asio::error_code& cancelled) {
    const auto self = weak.lock();
    if (!cancelled && self && !self->exchange_ && self->over_) self->over_();
  });
}

// Without an end of the stream: the client comes back.
void EventStream::cut() {
  if (!exchange_) return;
  const Exchange exchange = std::exchange(exchange_, nullptr);
  exchange->end_stream();
  left();
}

std::string EventStream::id_of(std::uint64_t number) const {
  return token_ + "-" + std::to_string(number);
}

std::optional<rpc::Event> EventStream::primer() const {
  if (retry_.count() == 0) return std::nullopt;
  return rpc::Event{{}, id_of(delivered_), {}, static_cast<int>(retry_.count())};
}

base::awaitable<void> EventStream::deliver(std::uint64_t number, std::string text) {
  const Exchange exchange = exchange_;
  sending_ = true;
  delivered_ = number;
  rpc::Event event{std::move(text), id_of(number)};
  const bool sent = co_await exchange->send_event(std::move(event));
  sending_ = false;
  if (!sent && exchange_ == exchange) left();
}

base::awaitable<void> EventStream::deliver_kept() {
  while (exchange_ && !sending_ && delivered_ < last_) {
    const std::uint64_t missing = last_ - delivered_;
    if (missing > kept_.size()) {  // what the client needs next is gone: it is told so by its id
      cut();
      co_return;
    }
    std::string text = *kept_[kept_.size() - missing];
    co_await deliver(delivered_ + 1, std::move(text));
  }
  if (!ended_ || sending_ || !exchange_) co_return;
  const Exchange exchange = std::exchange(exchange_, nullptr);
  exchange->end_stream();
}

}  // namespace mahavishnu::mcp
