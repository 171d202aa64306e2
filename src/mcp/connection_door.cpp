#include "mcp/connection_door.h"

#include "base/log.h"
#include "mcp/batch.h"
#include "mcp/elsewhere.h"
#include "mcp/error_map.h"

namespace mahavishnu::mcp {
namespace {

class ConnectionSink final : public NoticeSink {
 public:
  explicit ConnectionSink(rpc::Connection& connection) : connection_(connection) {}
  base::awaitable<bool> send(std::string text) override {
    const base::Status written = co_await connection_.write(std::move(text));
    co_return written.has_value();
  }

 private:
  rpc::Connection& connection_;
};

// A line that a hand at a terminal left empty.
bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

}  // namespace

ConnectionDoor::ConnectionDoor(Dispatcher& dispatcher, rpc::Connection& connection, View view)
    : dispatcher_(dispatcher),
      connection_(connection),
      view_(std::move(view)),
      group_(dispatcher.executor(), "mcp connection") {}

base::awaitable<void> ConnectionDoor::serve() {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (true) {
    auto text = connection_.read_ready();
    if (!text) text = co_await connection_.read();
    std::string reply;
    if (!*text && text->error().code == base::ErrorCode::Exhausted) {
      const auto error = rpc_error(error_code::kInvalidRequest, text->error().message);
      reply = rpc::encode_error(rpc::RequestId{}, error);
    } else if (!*text || !**text) {
      break;
    } else if (is_blank(***text)) {
      continue;
    } else if (is_for_elsewhere(dispatcher_, (**text)->size())) {
      std::function<rpc::Decoded()> decode = [long_text = std::move(***text)] {
        return rpc::decode(long_text, {}, kMeta);
      };
      auto decoded = co_await elsewhere(dispatcher_, std::move(decode));
      if (!decoded) break;
      reply = take(std::move(*decoded));
    } else {
      reply = take(rpc::decode(***text, {}, kMeta));
    }
    if (!reply.empty() && !connection_.write_ready(reply)) co_await write(std::move(reply));
  }
  co_await drain();
}

std::string ConnectionDoor::take(rpc::Decoded decoded) {
  if (decoded.batch) return take_batch(std::move(decoded.messages));
  return take_message(std::move(decoded.messages.front()));
}

std::string ConnectionDoor::take_message(rpc::Message message) {
  if (const auto* malformed = std::get_if<rpc::Malformed>(&message)) {
    return rpc::encode_error(malformed->id, malformed->error);
  }
  if (const auto* notification = std::get_if<rpc::Notification>(&message)) {
    take_notification(*notification, *table_);
    take_notification(*notification, *streams_);
    if (notification->method == "notifications/initialized") tell_of_changes();
  } else if (const auto* response = std::get_if<rpc::Response>(&message)) {
    peer_->take_answer(*response);
  } else if (auto* request = std::get_if<rpc::Request>(&message)) {
    return take_request(std::move(*request));
  }
  return {};
}

std::string ConnectionDoor::take_batch(std::vector<rpc::Message> messages) {
  if (agreed_ && has_batches(*agreed_)) {
    group_.spawn(answer_batch(std::move(messages)));
    return {};
  }
  // A batch that is no batch at all (`[]`) says so itself.
  const auto* malformed = std::get_if<rpc::Malformed>(&messages.front());
  const auto error =
      messages.size() == 1 && malformed != nullptr
          ? malformed->error
          : rpc_error(error_code::kInvalidRequest,
                      "batches are part of revision 2025-03-26 only; send each message alone");
  return rpc::encode_error(rpc::RequestId{}, error);
}

std::string ConnectionDoor::take_request(rpc::Request request) {
  Revision revision = agreed_.value_or(kNewestLegacy);
  // server/discover is only there in the modern era: without metadata it lacks what it must have.
  if (claimed_version(request.metadata) != nullptr || request.method == "server/discover") {
    if (const auto error = check_metadata(request.metadata)) {
      return refusal(request.id, *error, kModern).text;
    }
    revision = kModern;
  }
  if (table_->contains(request.id) || streams_->contains(request.id)) {
    return duplicate_id(request.id, revision).text;
  }
  if (request.method == "initialize" && !is_modern(revision)) return initialize(request);
  auto accepted = dispatcher_.accept(std::move(request), revision, view_,
                                     is_modern(revision) ? nullptr : peer_);
  if (auto* reply = std::get_if<Reply>(&accepted)) return std::move(reply->text);
  return start(std::move(std::get<PreparedCall>(accepted)));
}

std::string ConnectionDoor::initialize(const rpc::Request& request) {
  const auto requested = requested_version(request.params);
  if (!requested) return refusal(request.id, requested.error(), kNewestLegacy).text;
  agreed_ = negotiate(*requested);
  peer_->introduce(request.params);
  return rpc::encode_result(request.id, dispatcher_.results().initialize(*agreed_));
}

std::string ConnectionDoor::start(PreparedCall call) {
  CallTable& table = call.listen ? *streams_ : *table_;
  if (table.size() >= dispatcher_.options().max_in_flight_per_connection) {
    return dispatcher_.overloaded(call, table.size()).text;
  }
  auto running = std::make_shared<RunningCall>(dispatcher_.calls(), &table, call.id);
  group_.spawn(answer(std::move(running), std::move(call)));
  return {};
}

// Once a legacy client is ready, unasked.
void ConnectionDoor::tell_of_changes() {
  if (!agreed_ || !dispatcher_.tells() || !teller_.expired()) return;
  auto running = std::make_shared<RunningCall>(dispatcher_.calls(), nullptr, rpc::RequestId{});
  teller_ = running;
  group_.spawn(tell(std::move(running)));
}

base::awaitable<void> ConnectionDoor::tell(std::shared_ptr<RunningCall> running) {
  co_await asio::this_coro::throw_if_cancelled(false);
  ConnectionSink sink(connection_);
  co_await dispatcher_.tell_session(std::move(running), peer_, view_, sink);
  answered();
}

// Nobody hears of changes, or answers questions, any more.
void ConnectionDoor::end_streams() {
  streams_->stop_all(StopCause::ByCaller);
  if (const auto teller = teller_.lock()) teller->stop(StopCause::ByCaller);
  peer_->lose_questions();
}

base::awaitable<void> ConnectionDoor::answer(std::shared_ptr<RunningCall> running,
                                             PreparedCall call) {
  co_await asio::this_coro::throw_if_cancelled(false);
  ConnectionSink sink(connection_);
  auto reply = co_await dispatcher_.reply_to(std::move(running), std::move(call), view_, &sink);
  if (reply) co_await write(std::move(reply->text));
  answered();
}

base::awaitable<void> ConnectionDoor::answer_batch(std::vector<rpc::Message> messages) {
  co_await asio::this_coro::throw_if_cancelled(false);
  std::string replies = co_await run_batch(dispatcher_, *table_, peer_, view_, std::move(messages));
  if (!replies.empty()) co_await write(std::move(replies));
  answered();
}

void ConnectionDoor::close_when_answered() {
  closing_ = true;
  if (group_.size() == 0) connection_.close();
}

// The last thing a coroutine of the group does: it is still counted.
void ConnectionDoor::answered() {
  if (closing_ && group_.size() == 1) connection_.close();
}

base::awaitable<void> ConnectionDoor::drain() {
  const auto state = co_await asio::this_coro::cancellation_state;
  end_streams();
  asio::steady_timer limit(dispatcher_.executor());
  if (state.cancelled() != asio::cancellation_type::none) {
    table_->stop_all(StopCause::Stopping);
  } else if (group_.size() > 0) {
    limit.expires_after(dispatcher_.options().drain);
    limit.async_wait([table = std::weak_ptr<CallTable>(table_)](const asio::error_code& failed) {
      const auto held = table.lock();
      if (!failed && held) held->stop_all(StopCause::Stopping);
    });
  }
  co_await group_.join();
}

base::awaitable<void> ConnectionDoor::write(std::string text) {
  const base::Status written = co_await connection_.write(std::move(text));
  if (!written) {
    base::log()->debug("{}: a reply was not delivered: {}", connection_.name(),
                       written.error().message);
  }
}

}  // namespace mahavishnu::mcp
