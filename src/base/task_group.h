// Owner of coroutines: everything spawned in a TaskGroup is a member's business of the object that
// holds the group, and is over before that object is.
//
// `cancel()` asks all of them to end (terminal cancellation) and is idempotent; `join()` resumes
// when the last has ended; the destructor asserts that none is left. An exception that leaves a
// coroutine is logged here and goes no further (one of the three places that catch).
// One executor; call it from that executor only. Lifetime: longer than what it holds.
#pragma once

#include <cstddef>
#include <exception>
#include <functional>
#include <list>
#include <optional>

#include "base/asio.h"

namespace mahavishnu::base {

class TaskGroup {
 public:
  // `name` shows in the log when a coroutine ends by an exception; it must outlive the group.
  TaskGroup(asio::any_io_executor executor, const char* name);
  ~TaskGroup();
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  // Starts it now. After cancel() nothing more starts: the coroutine is destroyed unrun.
  void spawn(awaitable<void> work);
  // Calls `begin` now, under the same guard, and spawns what it leaves to be done, if anything.
  void start(const std::function<std::optional<awaitable<void>>()>& begin);

  void cancel();
  bool cancelled() const { return cancelled_; }
  awaitable<void> join();

  std::size_t size() const { return running_.size(); }

 private:
  void log_failure(const std::exception_ptr& failure) const;
  void ended(std::list<asio::cancellation_signal>::iterator entry);

  asio::any_io_executor executor_;
  const char* name_;
  std::list<asio::cancellation_signal> running_;
  asio::steady_timer idle_;  // never fires by itself: cancelled when the last coroutine ends
  bool cancelled_ = false;
};

}  // namespace mahavishnu::base
