#include "control/watchers.h"

#include <algorithm>

#include "base/planted.h"
namespace mahavishnu::control {

Watch::Watch(Watchers& watchers, std::vector<WatchKey> keys)
    : watchers_(watchers),
      keys_(std::move(keys)),
      ready_(watchers.executor_, asio::steady_timer::time_point::max()) {
  ++watchers_.waiting_;
  for (const WatchKey& key : keys_) watchers_.watches_[key].push_back(this);
}

Watch::~Watch() {
  --watchers_.waiting_;
  for (const WatchKey& key : keys_) {
    const auto found = watchers_.watches_.find(key);
    if (found == watchers_.watches_.end()) continue;
    std::erase(found->second, this);
    if (found->second.empty()) watchers_.watches_.erase(found);
  }
}

base::awaitable<base::Result<bool>> Watch::changed(base::MonoTime until) {
  if (base::planted(12)) changed_ = false;
  if (!changed_ && !watchers_.stopped_) {
    bool late = false;
    const auto alarm = watchers_.alarms_.at(until, [this, &late] {
      late = true;
      ready_.cancel();
    });
    co_await ready_.async_wait(base::as_result);
    watchers_.alarms_.cancel(alarm);
    if (!changed_ && late) co_return false;
  }
  if (watchers_.stopped_) {
    co_return base::fail(base::ErrorCode::Unavailable, "the server is shutting down");
  }
  if (!changed_) co_return base::fail(base::ErrorCode::Cancelled, "the call was cancelled");
  changed_ = false;
  co_return true;
}

base::Status Watchers::room() const {
  if (waiting_ < most_) return {};
  return base::fail(
      base::ErrorCode::Exhausted,
      std::to_string(waiting_) + " calls wait already; call again without wait_ms, or in 1 s",
      1000);
}

void Watchers::notify(base::Ulid id, Topic topic) {
  const auto found = watches_.find(WatchKey{id, topic});
  if (found == watches_.end()) return;
  for (Watch* watch : found->second) watch->wake();  // resumes them later, not inside
}

void Watchers::stop() {
  stopped_ = true;
  for (auto& [key, list] : watches_) {
    for (Watch* watch : list) watch->ready_.cancel();
  }
}

}  // namespace mahavishnu::control
