#include "mcp/batch.h"

#include "base/task_group.h"
#include "mcp/error_map.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

constexpr Revision kRevision = Revision::k2025_03_26;

class Batch {
 public:
  Batch(Dispatcher& dispatcher, CallTable& table, std::shared_ptr<Peer> peer, const View& view)
      : dispatcher_(dispatcher),
        table_(table),
        peer_(std::move(peer)),
        view_(view),
        group_(dispatcher.executor(), "mcp batch") {}

  void take(rpc::Message message) {
    if (const auto* malformed = std::get_if<rpc::Malformed>(&message)) {
      add(rpc::encode_error(malformed->id, malformed->error));
    } else if (const auto* notification = std::get_if<rpc::Notification>(&message)) {
      take_notification(*notification, table_);
    } else if (const auto* response = std::get_if<rpc::Response>(&message)) {
      peer_->take_answer(*response);
    } else if (auto* request = std::get_if<rpc::Request>(&message)) {
      take_request(std::move(*request));
    }
  }

  base::awaitable<std::string> finish() {
    co_await group_.join();
    co_return replies_.empty() ? std::string() : "[" + replies_ + "]";
  }

 private:
  void add(const std::string& reply) {
    if (!replies_.empty()) replies_ += ',';
    replies_ += reply;
  }

  void take_request(rpc::Request request) {
    if (table_.contains(request.id)) {
      add(duplicate_id(request.id, kRevision).text);
      return;
    }
    if (request.method == "initialize" || claimed_version(request.metadata) != nullptr) {
      const auto error = rpc_error(error_code::kInvalidRequest,
                                   "this request may not be part of a batch; send it alone");
      add(rpc::encode_error(request.id, error));
      return;
    }
    auto accepted = dispatcher_.accept(std::move(request), kRevision, view_, peer_);
    if (const auto* reply = std::get_if<Reply>(&accepted)) {
      add(reply->text);
      return;
    }
    auto& call = std::get<PreparedCall>(accepted);
    call.progress_token = nullptr;  // the batch has one answer, with nothing before it
    auto running = std::make_shared<RunningCall>(dispatcher_.calls(), &table_, call.id);
    group_.spawn(run(std::move(running), std::move(call)));
  }

  base::awaitable<void> run(std::shared_ptr<RunningCall> running, PreparedCall call) {
    const auto reply =
        co_await dispatcher_.reply_to(std::move(running), std::move(call), view_, nullptr);
    if (reply) add(reply->text);
  }

  Dispatcher& dispatcher_;
  CallTable& table_;
  std::shared_ptr<Peer> peer_;
  const View& view_;
  std::string replies_;
  base::TaskGroup group_;
};

}  // namespace

base::awaitable<std::string> run_batch(Dispatcher& dispatcher, CallTable& table,
                                       std::shared_ptr<Peer> peer, const View& view,
                                       std::vector<rpc::Message> messages) {
  // Cancelling must not leave the calls behind; stopping the server ends them one by one.
  const bool throws = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  Batch batch(dispatcher, table, std::move(peer), view);
  for (rpc::Message& message : messages) batch.take(std::move(message));
  std::string replies = co_await batch.finish();
  co_await asio::this_coro::throw_if_cancelled(throws);
  co_return replies;
}

void take_notification(const rpc::Notification& notification, CallTable& table) {
  if (notification.method != "notifications/cancelled" || !notification.params.is_object()) return;
  const auto id = notification.params.find("requestId");
  if (id == notification.params.end()) return;
  if (id->is_string()) {
    table.stop(rpc::RequestId{id->get<std::string>()}, StopCause::ByCaller);
  } else if (id->is_number()) {
    table.stop(rpc::RequestId{rpc::RequestId::Number{rpc::dump(*id)}}, StopCause::ByCaller);
  }
}

Reply duplicate_id(const rpc::RequestId& id, Revision revision) {
  return refusal(id,
                 rpc_error(error_code::kInvalidRequest,
                           "id " + id.to_json() + " is used by a call that still runs"),
                 revision);
}

}  // namespace mahavishnu::mcp
