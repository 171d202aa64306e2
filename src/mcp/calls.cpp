#include "mcp/calls.h"

#include <utility>
#include <vector>

namespace mahavishnu::mcp {

Calls::Calls(asio::any_io_executor executor) : idle_(std::move(executor)) {
  idle_.expires_at(asio::steady_timer::time_point::max());
}

void Calls::stop_all(StopCause cause) {
  // Stopping one may end it at once, and others with it: hold all of them meanwhile.
  std::vector<std::shared_ptr<RunningCall>> calls;
  for (RunningCall* call : running_) calls.push_back(call->shared_from_this());
  for (const auto& call : calls) call->stop(cause);
}

base::awaitable<void> Calls::join() {
  while (!running_.empty()) co_await idle_.async_wait(base::as_result);
}

bool CallTable::stop(const rpc::RequestId& id, StopCause cause) {
  const auto found = by_id_.find(id.to_json());
  if (found == by_id_.end()) return false;
  found->second->stop(cause);
  return true;
}

void CallTable::stop_all(StopCause cause) {
  std::vector<std::shared_ptr<RunningCall>> calls;
  for (const auto& [id, call] : by_id_) calls.push_back(call->shared_from_this());
  for (const auto& call : calls) call->stop(cause);
}

RunningCall::RunningCall(Calls& calls, CallTable* table, const rpc::RequestId& id)
    : calls_(calls),
      table_(table),
      id_(id.to_json()),
      place_(calls.running_.insert(calls.running_.end(), this)) {
  if (table_ != nullptr) table_->by_id_.emplace(id_, this);
}

void RunningCall::end() {
  if (std::exchange(ended_, true)) return;
  if (table_ != nullptr) table_->by_id_.erase(id_);
  calls_.running_.erase(place_);
  if (calls_.running_.empty()) calls_.idle_.cancel();
}

void RunningCall::stop(StopCause cause) {
  if (cause_ != StopCause::None || ended_) return;
  cause_ = cause;
  const auto self = shared_from_this();
  signal_.emit(asio::cancellation_type::terminal);
}

}  // namespace mahavishnu::mcp
