#include "mcp/subscriptions.h"

#include <array>
#include <utility>

#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::array<std::string_view, kChanges> kMethods{"notifications/tools/list_changed",
                                                          "notifications/prompts/list_changed",
                                                          "notifications/resources/list_changed"};

}  // namespace

void Subscriptions::changed(Change change) {
  for (Subscription* one : all_) one->note(change);
}

void Subscriptions::updated(std::string_view uri) {
  for (Subscription* one : all_) one->note(uri);
}

void Subscriptions::wake_soon(Subscription& one) {
  if (std::exchange(one.due_, true)) return;
  due_.push_back(&one);
  if (!posted_) post_wake();
}

void Subscriptions::post_wake() {
  posted_ = true;
  asio::post(executor_, [this, alive = std::weak_ptr<bool>(alive_)] {
    if (!alive.expired()) wake_some();
  });
}

void Subscriptions::wake_some() {
  posted_ = false;
  for (std::size_t i = 0; i < kWokenAtOnce && !due_.empty(); ++i) {
    Subscription* const one = due_.front();
    due_.pop_front();
    one->due_ = false;
    one->wake_.cancel();
  }
  if (!due_.empty()) post_wake();
}

void Subscriptions::task_changed(std::string_view subject) {
  for (Subscription* one : all_) one->note_task(subject);
}

Subscription::Subscription(Subscriptions& all, asio::any_io_executor executor, ChangeFilter filter,
                           rpc::Json id, std::shared_ptr<const Permit> permit, TaskNews news,
                           Peer* session)
    : all_(all),
      place_(all.all_.insert(all.all_.end(), this)),
      filter_(std::move(filter)),
      id_(std::move(id)),
      permit_(std::move(permit)),
      news_(std::move(news)),
      session_(session),
      wake_(std::move(executor)) {
  for (const auto& [subject, handle] : filter_.tasks) tasks_.insert(handle);
}

Subscription::~Subscription() {
  all_.all_.erase(place_);
  if (due_) all_.due_.remove(this);
}

void Subscription::note(Change change) {
  if (!filter_.wants(change)) return;
  changed_.set(static_cast<std::size_t>(change));
  all_.wake_soon(*this);
}

void Subscription::note(std::string_view uri) {
  const auto& uris = session_ != nullptr ? session_->watched : filter_.uris;
  if (!uris.contains(uri)) return;
  updated_.emplace(uri);
  all_.wake_soon(*this);
}

void Subscription::note_task(std::string_view subject) {
  const TaskHandles& watched = session_ != nullptr ? session_->tasks : filter_.tasks;
  const auto [first, last] = watched.equal_range(subject);
  if (first == last) return;
  for (auto at = first; at != last; ++at) tasks_.insert(at->second);
  all_.wake_soon(*this);
}

void Subscription::stop() {
  stopped_ = true;
  wake_.cancel();
}

base::awaitable<void> Subscription::tell(NoticeSink& sink) {
  while (!stopped_) {
    std::string text = next();
    if (text.empty() && !tasks_.empty()) {
      text = co_await next_task();
      if (text.empty()) continue;
    }
    if (!text.empty()) {
      if (permit_ && !permit_->in_force()) co_return;
      const bool sent = co_await sink.send(std::move(text));
      if (!sent) co_return;
      continue;
    }
    wake_.expires_at(asio::steady_timer::time_point::max());
    co_await wake_.async_wait(base::as_result);
    const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) co_return;
  }
}

std::string Subscription::next() {
  for (std::size_t i = 0; i < kChanges; ++i) {
    if (!changed_.test(i)) continue;
    changed_.reset(i);
    return encode(kMethods[i], rpc::Json());
  }
  if (updated_.empty()) return {};
  auto taken = updated_.extract(updated_.begin());
  return encode("notifications/resources/updated", {{"uri", std::move(taken.value())}});
}

base::awaitable<std::string> Subscription::next_task() {
  std::string handle = std::move(tasks_.extract(tasks_.begin()).value());
  rpc::Json told = co_await news_(handle);
  if (told.is_null()) {
    forget_task(handle);
    co_return std::string();
  }
  const bool over = told["status"] != "working" && told["status"] != "input_required";
  if (over) forget_task(handle);
  co_return encode(session_ != nullptr ? "notifications/tasks/status" : "notifications/tasks",
                   std::move(told));
}

// It does not change any more.
void Subscription::forget_task(std::string_view handle) {
  TaskHandles& watched = session_ != nullptr ? session_->tasks : filter_.tasks;
  for (auto at = watched.begin(); at != watched.end(); ++at) {
    if (at->second != handle) continue;
    watched.erase(at);
    return;
  }
}

std::string Subscription::encode(std::string_view method, rpc::Json params) const {
  if (!id_.is_null()) params["_meta"][meta_key::kSubscriptionId] = id_;
  return rpc::encode_notification(method, params);
}

}  // namespace mahavishnu::mcp
