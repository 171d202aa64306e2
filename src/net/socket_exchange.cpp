#include "net/socket_exchange.h"

#include "base/log.h"

namespace mahavishnu::net {
namespace {

constexpr std::size_t kMaxStreamBacklog = 256 * 1024;  // past it a sender of events waits

}  // namespace

SocketExchange::SocketExchange(std::shared_ptr<HttpShared> shared, HttpConnection& connection,
                               HttpRequest request, Admission admission, BodyShare body_share)
    : shared_(std::move(shared)),
      connection_(&connection),
      request_(std::move(request)),
      admission_(std::move(admission)),
      body_share_(std::move(body_share)) {
  ++shared_->stats.pending;
}

SocketExchange::~SocketExchange() {
  if (state_ != State::Ended && !gone_) --shared_->stats.pending;
  if (connection_ != nullptr) {
    base::log()->error("{} {} was dropped without an answer", request_.method, path());
    connection_->dropped(*this, state_ == State::Streaming);
  }
}

std::string_view SocketExchange::method() const {
  return request_.method == "HEAD" ? std::string_view("GET") : request_.method;
}

bool SocketExchange::may(State needed, const char* what) {
  if (gone_) return false;
  if (state_ == needed) return true;
  ++shared_->stats.second_answers;
  base::log()->error("{} {}: {} out of turn, ignored", request_.method, path(), what);
  return false;
}

void SocketExchange::respond(int status, std::string_view content_type, std::string body,
                             rpc::HeaderList headers) {
  if (!may(State::Open, "respond")) return;
  state_ = State::Ended;
  on_gone_ = nullptr;
  body_share_.give_back();
  --shared_->stats.pending;
  std::exchange(connection_, nullptr)->respond(*this, status, content_type, body, headers);
}

void SocketExchange::start_stream(rpc::HeaderList headers, std::optional<rpc::Event> first) {
  if (!may(State::Open, "start_stream")) return;
  state_ = State::Streaming;
  connection_->start_stream(*this, headers, first);
}

base::awaitable<bool> SocketExchange::send_event(rpc::Event event) {
  return send(shared_from_this(), std::move(event));
}

base::awaitable<bool> SocketExchange::send(std::shared_ptr<SocketExchange> self, rpc::Event event) {
  const bool began_streaming = self->state_ == State::Streaming;
  bool waiting = true;
  while (waiting && self->connection_ != nullptr &&
         self->connection_->backlog() > kMaxStreamBacklog) {
    if (!self->room_) self->room_.emplace(self->shared_->executor);
    waiting = co_await self->room_->wait();
  }
  if (began_streaming && self->state_ == State::Ended) co_return false;  // while this waited
  const bool allowed = waiting && self->may(State::Streaming, "send_event");
  if (allowed) self->connection_->send_event(*self, event);
  co_return allowed && !self->gone_;
}

void SocketExchange::end_stream() {
  if (!may(State::Streaming, "end_stream")) return;
  state_ = State::Ended;
  on_gone_ = nullptr;
  body_share_.give_back();
  --shared_->stats.pending;
  std::exchange(connection_, nullptr)->end_stream(*this);
  output_moved();
}

void SocketExchange::on_gone(std::function<void()> callback) {
  if (gone_) {
    callback();
  } else if (state_ != State::Ended) {
    on_gone_ = std::move(callback);
  }
}

void SocketExchange::peer_gone() {
  connection_ = nullptr;
  gone_ = true;
  --shared_->stats.pending;
  output_moved();
  if (const auto callback = std::exchange(on_gone_, nullptr)) callback();
}

void SocketExchange::output_moved() {
  if (room_) room_->notify();
}

}  // namespace mahavishnu::net
