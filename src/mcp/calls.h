// Which tool calls are running, and how one of them is told to stop.
//
// `Calls` knows all of a server; a `CallTable` knows those of one scope (a connection, a legacy
// session) by request id, so that notifications/cancelled finds its call and an id in flight is not
// used twice. A `RunningCall` is in both from its making until `end`. They own nothing of the work:
// the coroutine that runs it holds the RunningCall. One executor.
#pragma once

#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/asio.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

class RunningCall;

enum class StopCause {
  None,
  ByCaller,  // no reply may be sent any more
  Stopping,  // the server ends: the reply says so
};

class Calls {
 public:
  explicit Calls(asio::any_io_executor executor);

  void stop_all(StopCause cause);
  base::awaitable<void> join();  // until none is left
  std::size_t size() const { return running_.size(); }

 private:
  friend class RunningCall;
  std::list<RunningCall*> running_;
  asio::steady_timer idle_;  // never fires by itself: cancelled when the last call ends
};

class CallTable {
 public:
  bool contains(const rpc::RequestId& id) const { return by_id_.contains(id.to_json()); }
  std::size_t size() const { return by_id_.size(); }
  // False when no such call runs: it may just have ended.
  bool stop(const rpc::RequestId& id, StopCause cause);
  void stop_all(StopCause cause);

 private:
  friend class RunningCall;
  std::unordered_map<std::string, RunningCall*> by_id_;
};

class RunningCall : public std::enable_shared_from_this<RunningCall> {
 public:
  // `table` (may be nullptr: a call nobody names) must live until `end` and not contain `id`.
  // Held by shared_ptr only: stopping it may end the coroutine that holds it.
  RunningCall(Calls& calls, CallTable* table, const rpc::RequestId& id);
  ~RunningCall() { end(); }
  RunningCall(const RunningCall&) = delete;
  RunningCall& operator=(const RunningCall&) = delete;

  // Its id is free again and nobody finds it any more. Before the reply is written, because the
  // caller may use the id again as soon as it has read the reply. Idempotent.
  void end();

  // Cancels the work (terminal); the first cause stays.
  void stop(StopCause cause);
  StopCause cause() const { return cause_; }
  asio::cancellation_slot slot() { return signal_.slot(); }

 private:
  Calls& calls_;
  CallTable* table_;
  std::string id_;
  std::list<RunningCall*>::iterator place_;
  asio::cancellation_signal signal_;
  StopCause cause_ = StopCause::None;
  bool ended_ = false;
};

}  // namespace mahavishnu::mcp
