#include "mcp/sse_door.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "mcp/error_map.h"
#include "mcp/http_headers.h"
#include "mcp/permit.h"
#include "mcp/unguessable.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kSession = "session=";
constexpr std::size_t kMostQueued = 256;            // messages that are not looked at yet
constexpr std::size_t kMostQueuedBytes = 8u << 20;  // and their length

void refuse(rpc::HttpExchange& exchange, int status, std::string message,
            rpc::HeaderList headers = {}) {
  const auto error = rpc_error(error_code::kInvalidRequest, std::move(message));
  exchange.respond(status, kJson, rpc::encode_error(rpc::RequestId{}, error), std::move(headers));
}

std::string session_in(std::string_view query) {
  while (!query.empty()) {
    const auto end = std::min(query.find('&'), query.size());
    const std::string_view one = query.substr(0, end);
    if (one.starts_with(kSession)) return std::string(one.substr(kSession.size()));
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

// What the credential of the newest message may: it may have changed since the stream was opened.
class NewestPermit final : public Permit {
 public:
  explicit NewestPermit(std::shared_ptr<Permit> permit) : permit_(std::move(permit)) {}
  void put(std::shared_ptr<Permit> permit) { permit_ = std::move(permit); }

  bool in_force() const override { return permit_->in_force(); }
  bool shows(const Tool& tool) const override { return permit_->shows(tool); }
  std::string_view list_class() const override { return permit_->list_class(); }
  std::string challenge(const Tool& tool) const override { return permit_->challenge(tool); }
  base::Status admit(const Tool& tool, const Json& arguments) override {
    return permit_->admit(tool, arguments);
  }

 private:
  std::shared_ptr<Permit> permit_;
};

}  // namespace

// What is posted is read, what is written is sent as an event.
class SseDoor::Stream final : public rpc::Connection {
 public:
  Stream(asio::any_io_executor executor, std::shared_ptr<rpc::HttpExchange> exchange,
         std::string caller, std::shared_ptr<NewestPermit> permit)
      : id(unguessable_id()),
        caller(std::move(caller)),
        permit(std::move(permit)),
        exchange_(std::move(exchange)),
        changed_(std::move(executor)) {
    changed_.expires_at(asio::steady_timer::time_point::max());
  }

  // False: too much waits already.
  bool take(std::string message) {
    if (queue_.size() >= kMostQueued || queued_bytes_ + message.size() > kMostQueuedBytes) {
      return false;
    }
    queued_bytes_ += message.size();
    queue_.push_back(std::move(message));
    changed_.cancel();
    return true;
  }
  void left() {
    closed_ = true;
    changed_.cancel();
  }

  base::awaitable<base::Result<std::optional<std::string>>> read() override {
    while (queue_.empty() && !closed_) {
      co_await changed_.async_wait(base::as_result);
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) {
        co_return fail(ErrorCode::Cancelled, "the connection was closed while reading");
      }
    }
    std::optional<std::string> message;
    if (!closed_) {
      message = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= message->size();
    }
    co_return message;
  }

  base::awaitable<base::Status> write(std::string text) override {
    rpc::Event event{std::move(text), {}, "message"};
    const bool sent = co_await exchange_->send_event(std::move(event));
    if (!sent) co_return fail(ErrorCode::Unavailable, "the peer has gone");
    co_return base::Status{};
  }

  void close() override { left(); }
  std::string name() const override { return "sse"; }

  const std::string id;
  const std::string caller;
  const std::shared_ptr<NewestPermit> permit;  // null: it may all

 private:
  std::shared_ptr<rpc::HttpExchange> exchange_;
  std::deque<std::string> queue_;
  std::size_t queued_bytes_ = 0;
  bool closed_ = false;
  asio::steady_timer changed_;
};

SseDoor::SseDoor(Dispatcher& dispatcher, Serve serve)
    : dispatcher_(dispatcher), serve_(std::move(serve)) {}

SseDoor::~SseDoor() = default;

rpc::HttpRest SseDoor::open(std::shared_ptr<rpc::HttpExchange> exchange, View view) {
  if (view.caller.empty()) view.caller = exchange->caller();
  if (exchange->method() != "GET") {
    refuse(*exchange, 405,
           "this is the event stream of HTTP+SSE (2024-11-05): GET it; newer clients POST to /mcp",
           {{"Allow", "GET"}});
  } else if (!accepts_stream(exchange->header("Accept"))) {
    refuse(*exchange, 406, "Accept must list text/event-stream");
  } else if (dispatcher_.draining() || streams_.size() >= dispatcher_.options().max_sessions) {
    refuse(*exchange, 503, "no stream begins now; try again later", {{"Retry-After", "1"}});
  } else {
    std::shared_ptr<NewestPermit> permit;
    if (view.permit) view.permit = permit = std::make_shared<NewestPermit>(std::move(view.permit));
    auto stream =
        std::make_shared<Stream>(dispatcher_.executor(), exchange, view.caller, std::move(permit));
    streams_.emplace(stream->id, stream);
    exchange->on_gone([this, weak = std::weak_ptr<Stream>(stream)] {
      const auto held = weak.lock();
      if (!held) return;
      held->left();
      streams_.erase(held->id);
    });
    std::string endpoint =
        std::string(Server::kMessagesPath) + "?" + std::string(kSession) + stream->id;
    exchange->start_stream({}, rpc::Event{std::move(endpoint), {}, "endpoint"});
    return serve_stream(std::move(stream), std::move(exchange), std::move(view));
  }
  return std::nullopt;
}

base::awaitable<void> SseDoor::serve_stream(std::shared_ptr<Stream> stream,
                                            std::shared_ptr<rpc::HttpExchange> exchange,
                                            View view) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await serve_(*stream, std::move(view));
  streams_.erase(stream->id);
  exchange->end_stream();
}

void SseDoor::post(rpc::HttpExchange& exchange, const View& view) {
  if (exchange.method() != "POST") {
    return refuse(exchange, 405, "messages are POSTed here", {{"Allow", "POST"}});
  }
  if (!is_json(exchange.header("Content-Type"))) {
    return refuse(exchange, 415, "Content-Type must be application/json");
  }
  const std::string id = session_in(exchange.query());
  if (id.empty()) {
    return refuse(exchange, 400,
                  "the session is missing in the query: GET /sse tells where to POST");
  }
  const auto found = streams_.find(id);
  const std::string_view caller = view.caller.empty() ? exchange.caller() : view.caller;
  if (found == streams_.end() || found->second->caller != caller) {
    return refuse(exchange, 404, "no such session; its stream has ended: GET /sse again");
  }
  Stream& stream = *found->second;
  if (stream.permit && view.permit) stream.permit->put(view.permit);
  if (!stream.take(exchange.take_body())) {
    return refuse(exchange, 503, "too many messages of this session wait", {{"Retry-After", "1"}});
  }
  exchange.respond(202, {}, {});
}

}  // namespace mahavishnu::mcp
