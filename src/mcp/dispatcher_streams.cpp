// The dispatcher's third part: clients that want to hear of changes, and what one with a session
// says of itself.
#include <array>

#include "mcp/dispatcher.h"
#include "mcp/error_map.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

using rpc::Json;

// Members of a subscription's filter, in the order of `Change`.
constexpr std::array<const char*, kChanges> kListNames{"toolsListChanged", "promptsListChanged",
                                                       "resourcesListChanged"};
constexpr const char* kUris = "resourceSubscriptions";

// What `subscriptions/listen` wants to hear of.
base::Result<ChangeFilter> change_filter(const Json& params) {
  const auto refuse = [](std::string message) {
    return base::fail(base::ErrorCode::InvalidArgument, std::move(message));
  };
  const Json wanted = params.is_object() ? params.value("notifications", Json()) : Json();
  if (!wanted.is_object()) return refuse("params.notifications must be an object: what to tell");
  ChangeFilter filter;
  for (std::size_t i = 0; i < kListNames.size(); ++i) {
    const Json value = wanted.value(kListNames[i], Json(false));
    if (!value.is_boolean()) {
      return refuse("params.notifications." + std::string(kListNames[i]) + " must be a boolean");
    }
    filter.lists.set(i, value.get<bool>());
  }
  const Json uris = wanted.value(kUris, Json::array());
  if (!uris.is_array() || uris.size() > Peer::kMostWatched) {
    return refuse("params.notifications.resourceSubscriptions must be an array of at most 1000");
  }
  for (const Json& uri : uris) {
    if (!uri.is_string()) return refuse("a resource subscription must be a URI");
    filter.uris.insert(uri.get<std::string>());
  }
  return filter;
}

// The first message of a subscription: what of the wishes is granted.
std::string acknowledgement(const ChangeFilter& granted, const std::string& id) {
  Json told = Json::object();
  for (std::size_t i = 0; i < kListNames.size(); ++i) {
    if (granted.lists.test(i)) told[kListNames[i]] = true;
  }
  if (!granted.uris.empty()) told[kUris] = granted.uris;
  for (const auto& [subject, handle] : granted.tasks) told["taskIds"].push_back(handle);
  Json params{{"notifications", std::move(told)}};
  params["_meta"][meta_key::kSubscriptionId] = Json::parse(id);
  return rpc::encode_notification("notifications/subscriptions/acknowledged", params);
}

}  // namespace

// What a client with a session says of itself.
std::optional<Reply> Dispatcher::accept_from_peer(const rpc::Request& request, Revision revision,
                                                  Peer& peer) {
  const auto text_of = [&request](const char* name) -> const std::string* {
    const auto member = request.params.find(name);
    return member != request.params.end() && member->is_string()
               ? &member->get_ref<const std::string&>()
               : nullptr;
  };
  const auto refuse = [&](std::string message) {
    return refusal(request.id, rpc_error(error_code::kInvalidParams, std::move(message)), revision);
  };
  if (request.method == "logging/setLevel") {
    const std::string* text = text_of("level");
    LogLevel level{};
    if (text == nullptr || !parse_log_level(*text, level)) {
      return refuse(
          "params.level must be one of debug, info, notice, warning, error, critical, "
          "alert and emergency");
    }
    peer.log_level = level;
  } else if (request.method == "resources/subscribe") {
    const std::string* uri = text_of("uri");
    if (uri == nullptr) return refuse("params.uri must be a string: the resource to watch");
    if (const auto found = catalog_.find_resource(*uri); !found) {
      return refusal(request.id, offer_error(found.error(), *uri, revision), revision);
    }
    if (peer.watched.size() >= Peer::kMostWatched && !peer.watched.contains(*uri)) {
      return refuse("a session may watch 1000 resources; unsubscribe from others first");
    }
    peer.watched.insert(*uri);
  } else if (request.method == "resources/unsubscribe") {
    const std::string* uri = text_of("uri");
    if (uri == nullptr) return refuse("params.uri must be a string: the resource watched so far");
    peer.watched.erase(*uri);
  } else {
    return std::nullopt;
  }
  return Reply{rpc::encode_result(request.id, results_.empty(revision))};
}

std::variant<Reply, PreparedCall> Dispatcher::accept_listen(rpc::Request request,
                                                            const View& view) {
  const auto refuse = [&request](int code, std::string message) {
    return refusal(request.id, rpc_error(code, std::move(message)), kModern);
  };
  auto wanted = change_filter(request.params);
  if (!wanted) return refuse(error_code::kInvalidParams, wanted.error().message);
  auto tasks = task_requests_.watched(request.params["notifications"], request.metadata, view);
  if (!tasks) return refusal(request.id, tasks.error(), kModern);
  wanted->tasks = std::move(*tasks);
  if (draining_) return refuse(error_code::kInternalError, "the server is shutting down");
  if (subscriptions_.size() >= options_.max_subscriptions) {
    return refuse(error_code::kInternalError,
                  "there are " + std::to_string(subscriptions_.size()) +
                      " subscriptions, and no more may be; retry when one ended");
  }
  const Capabilities& c = capabilities_;
  wanted->lists &= std::bitset<kChanges>((c.tools_change ? 1U : 0U) | (c.prompts_change ? 2U : 0U) |
                                         (c.resources_change ? 4U : 0U));
  if (!c.resources_update) wanted->uris.clear();
  PreparedCall call;
  call.id = std::move(request.id);
  call.revision = kModern;
  call.listen = std::make_shared<const ChangeFilter>(std::move(*wanted));
  return call;
}

base::awaitable<std::optional<Reply>> Dispatcher::listen(std::shared_ptr<RunningCall> running,
                                                         PreparedCall call, const View& view,
                                                         NoticeSink& sink) {
  co_await asio::this_coro::throw_if_cancelled(false);
  const std::string id = call.id.to_json();
  Subscription subscription(subscriptions_, executor_, *call.listen, Json::parse(id), view.permit,
                            task_requests_.news(view.caller, kModern));
  std::string agreed = acknowledgement(*call.listen, id);
  // Taken before the first wait: whatever changes from now on is told.
  const bool there = co_await sink.send(std::move(agreed));
  if (there) co_await tell(running, subscription, sink);
  running->end();
  if (running->cause() != StopCause::Stopping) co_return std::nullopt;
  co_return Reply{rpc::encode_result(call.id, results_.subscription_end(id))};
}

base::awaitable<void> Dispatcher::tell_session(std::shared_ptr<RunningCall> running,
                                               std::shared_ptr<Peer> peer, const View& view,
                                               NoticeSink& sink) {
  co_await asio::this_coro::throw_if_cancelled(false);
  ChangeFilter all;
  all.lists.set();
  Subscription subscription(subscriptions_, executor_, std::move(all), Json(), view.permit,
                            task_requests_.news(view.caller, kNewestLegacy), peer.get());
  co_await tell(running, subscription, sink);
  running->end();
}

base::awaitable<void> Dispatcher::tell(std::shared_ptr<RunningCall> running,
                                       Subscription& subscription, NoticeSink& sink) {
  const asio::cancellation_state outer = co_await asio::this_coro::cancellation_state;
  if (outer.cancelled() != asio::cancellation_type::none) running->stop(StopCause::Stopping);
  if (running->cause() != StopCause::None) co_return;
  running->slot().assign([&subscription](asio::cancellation_type) { subscription.stop(); });
  asio::cancellation_slot outer_slot = outer.slot();
  if (outer_slot.is_connected()) {
    outer_slot.assign(
        [call = running.get()](asio::cancellation_type) { call->stop(StopCause::Stopping); });
  }
  co_await subscription.tell(sink);
  if (outer_slot.is_connected()) outer_slot.clear();
  running->slot().clear();
}

}  // namespace mahavishnu::mcp
