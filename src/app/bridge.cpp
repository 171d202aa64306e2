#include "app/bridge.h"

#include <algorithm>

#include "base/log.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Status;

constexpr const char* kLost =
    "the server ended before it answered; another takes over, and tasks that were accepted go on: "
    "look at their state with task_list before you ask again";
constexpr const char* kNotAnswered = "the input ended and the answer did not come in time";

}  // namespace

Bridge::Bridge(asio::any_io_executor executor, rpc::Connection& client, Attach attach,
               BridgeOptions options)
    : executor_(executor),
      client_(client),
      attach_(std::move(attach)),
      options_(options),
      changed_(executor),
      timer_(executor),
      group_(executor, "bridge") {}

awaitable<Status> Bridge::run() {
  Status outcome = co_await connect();
  if (outcome) group_.spawn(read_client());
  while (outcome && !done_) {
    co_await forward_answers();
    server_.reset();
    if (done_) break;
    if (input_ended_) {
      co_await tell_lost(late_ ? kNotAnswered : kLost);
      break;
    }
    outcome = co_await attach_again();
  }
  if (!outcome) {
    if (held_) static_cast<void>(conversation_.from_client(*held_));
    co_await tell_lost(outcome.error().message);
  }
  finish();
  group_.cancel();
  co_await group_.join();
  co_return outcome;
}

// The client's side: until its end, or the bridge's.
awaitable<void> Bridge::read_client() {
  while (!done_) {
    auto text = client_.read_ready();
    if (!text) text = co_await client_.read();
    if (!*text && text->error().code == ErrorCode::Exhausted) {
      std::string refusal = rpc::encode_error(
          rpc::RequestId{}, {rpc::error_code::kInvalidRequest, text->error().message, nullptr});
      co_await to_client(std::move(refusal));
      continue;
    }
    if (!*text || !**text) break;
    if (server_ == nullptr) {
      held_ = std::move(***text);
      changed_.notify();
      while (server_ == nullptr) {
        if (done_ || !co_await changed_.wait()) co_return;
      }
      **text = std::move(held_);
      held_.reset();
    }
    std::string answer = conversation_.from_client(***text);
    if (!answer.empty()) {
      co_await to_client(std::move(answer));
    } else if (server_ != nullptr && !server_->write_ready(***text)) {
      // An error means that the server has gone: its reader knows as well, and tells.
      static_cast<void>(co_await server_->write(std::move(***text)));
    }
  }
  end_of_input();
}

void Bridge::end_of_input() {
  if (done_) return;
  input_ended_ = true;
  if (server_ == nullptr || conversation_.in_flight() == 0) return finish();
  group_.spawn(end_late());
}

awaitable<void> Bridge::end_late() {
  timer_.expires_after(options_.drain);
  const auto [cancelled] = co_await timer_.async_wait(base::as_result);
  if (cancelled || done_) co_return;
  late_ = true;
  if (server_ != nullptr) server_->close();
}

// The server's side: until its end.
awaitable<void> Bridge::forward_answers() {
  while (!done_) {
    auto text = server_->read_ready();
    if (!text) text = co_await server_->read();
    if (!*text || !**text) co_return;
    if (conversation_.from_server(***text) && !client_.write_ready(***text)) {
      co_await to_client(std::move(***text));
    }
    if (input_ended_ && conversation_.in_flight() == 0) finish();
  }
}

// Restores the conversation on another server, at most so often.
awaitable<Status> Bridge::attach_again() {
  const bool orderly = conversation_.server_is_ending();
  co_await tell_lost(kLost);
  if (orderly) {
    // Whoever ended it meant it: nobody starts it again before it is needed.
    while (!held_ && !input_ended_ && !done_) co_await changed_.wait();
    if (input_ended_ || done_) co_return Status{};
    co_return co_await connect();
  }
  const auto now = base::mono_now();
  losses_.push_back(now);
  while (now - losses_.front() > options_.restart_window) losses_.pop_front();
  if (losses_.size() > options_.max_restarts) {
    co_return fail(ErrorCode::Unavailable,
                   "the server was lost " + std::to_string(losses_.size()) + " times within " +
                       std::to_string(options_.restart_window.count() / 1000) + " s");
  }
  if (losses_.size() > 1) {
    timer_.expires_after(options_.first_backoff * (1 << (losses_.size() - 2)));
    co_await timer_.async_wait(base::as_result);
  }
  if (input_ended_ || done_) co_return Status{};
  base::log()->warn("the server has gone; attaching to another");
  co_return co_await connect();
}

awaitable<Status> Bridge::connect() {
  auto connection = co_await attach_();
  if (!connection) co_return fail(connection.error());
  for (auto& line : conversation_.replay()) {
    // A server that has gone again is noticed by forward_answers.
    static_cast<void>(co_await (*connection)->write(std::move(line)));
  }
  server_ = std::move(*connection);
  changed_.notify();
  for (auto& line : conversation_.missed()) co_await to_client(std::move(line));
  if (input_ended_ && conversation_.in_flight() == 0) finish();
  co_return Status{};
}

awaitable<void> Bridge::tell_lost(std::string why) {
  for (auto& answer : conversation_.lost(why)) co_await to_client(std::move(answer));
}

awaitable<void> Bridge::to_client(std::string text) {
  const Status written = co_await client_.write(std::move(text));
  if (!written) finish();  // nobody listens any more
}

void Bridge::finish() {
  done_ = true;
  timer_.cancel();
  changed_.notify();
  client_.close();
  if (server_ != nullptr) server_->close();
}

}  // namespace mahavishnu::app
