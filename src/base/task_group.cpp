#include "base/task_group.h"

#include <cassert>
#include <exception>

#include "base/log.h"

namespace mahavishnu::base {

TaskGroup::TaskGroup(asio::any_io_executor executor, const char* name)
    : executor_(std::move(executor)), name_(name), idle_(executor_) {
  idle_.expires_at(asio::steady_timer::time_point::max());
}

TaskGroup::~TaskGroup() { assert(running_.empty() && "a TaskGroup outlived by its coroutines"); }

void TaskGroup::spawn(awaitable<void> work) {
  if (cancelled_) return;
  const auto entry = running_.emplace(running_.end());
  asio::co_spawn(
      executor_, std::move(work),
      asio::bind_cancellation_slot(entry->slot(), [this, entry](std::exception_ptr failure) {
        if (failure) log_failure(failure);
        ended(entry);
      }));
}

void TaskGroup::start(const std::function<std::optional<awaitable<void>>()>& begin) {
  if (cancelled_) return;
  try {
    if (auto rest = begin()) spawn(std::move(*rest));
  } catch (...) {
    log_failure(std::current_exception());
  }
}

void TaskGroup::log_failure(const std::exception_ptr& failure) const {
  try {
    std::rethrow_exception(failure);
  } catch (const std::exception& e) {
    log()->error("{}: work ended by an exception: {}", name_, e.what());
  } catch (...) {
    log()->error("{}: work ended by an unknown exception", name_);
  }
}

void TaskGroup::ended(std::list<asio::cancellation_signal>::iterator entry) {
  running_.erase(entry);
  if (running_.empty()) idle_.cancel();
}

void TaskGroup::cancel() {
  cancelled_ = true;
  // Emitting may end a coroutine at once and erase its entry: step past it first.
  for (auto entry = running_.begin(); entry != running_.end();) {
    auto& signal = *entry++;
    signal.emit(asio::cancellation_type::terminal);
  }
}

awaitable<void> TaskGroup::join() {
  while (!running_.empty()) co_await idle_.async_wait(as_result);
}

}  // namespace mahavishnu::base
