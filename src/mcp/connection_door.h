// MCP on one connection that carries whole messages: stdio, a socket, a pair in memory.
//
// Both eras may be mixed: the body of each request decides, and server/discover pins nothing.
// Legacy requests follow the revision that `initialize` agreed on, or the newest legacy one when
// nobody shook hands. Calls run side by side; all else is answered in the order it came: while a
// long message is decoded elsewhere, what is behind it waits. One executor.
#pragma once

#include <memory>
#include <optional>

#include "base/asio.h"
#include "base/task_group.h"
#include "mcp/dispatcher.h"
#include "rpc/codec.h"
#include "rpc/connection.h"

namespace mahavishnu::mcp {

class ConnectionDoor {
 public:
  ConnectionDoor(Dispatcher& dispatcher, rpc::Connection& connection, View view);

  // Until the connection's end; then answers what is in flight, at most `drain` long. Being
  // cancelled means: stop the calls, answer them so, and return.
  base::awaitable<void> serve();

  // Ends `serve` as soon as what is in flight has been answered.
  void close_when_answered();

 private:
  // The reply that is due at once, or "": none, or later.
  std::string take(rpc::Decoded decoded);
  std::string take_message(rpc::Message message);
  std::string take_batch(std::vector<rpc::Message> messages);
  std::string take_request(rpc::Request request);
  std::string initialize(const rpc::Request& request);
  std::string start(PreparedCall call);
  base::awaitable<void> answer(std::shared_ptr<RunningCall> running, PreparedCall call);
  base::awaitable<void> answer_batch(std::vector<rpc::Message> messages);
  void tell_of_changes();
  base::awaitable<void> tell(std::shared_ptr<RunningCall> running);
  void end_streams();
  base::awaitable<void> drain();
  base::awaitable<void> write(std::string text);
  void answered();

  Dispatcher& dispatcher_;
  rpc::Connection& connection_;
  const View view_;
  std::optional<Revision> agreed_;  // by initialize
  std::shared_ptr<CallTable> table_ = std::make_shared<CallTable>();
  std::shared_ptr<CallTable> streams_ = std::make_shared<CallTable>();  // subscriptions/listen
  std::weak_ptr<RunningCall> teller_;  // tells a legacy client of changes
  std::shared_ptr<Peer> peer_ = std::make_shared<Peer>();
  bool closing_ = false;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::mcp
