// Carries a client's messages to a server and the answers back, and outlives the server.
//
// Whole messages are passed on as they are. When the server goes, what it left unanswered is
// answered with an error, another is attached (`attach` finds or starts it) and hears the client's
// handshake again; a server that ended in good order is only replaced once the client asks for
// something. It knows messages, and of MCP the handshake only. One executor; lives until run()
// returned.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "app/conversation.h"
#include "base/asio.h"
#include "base/result.h"
#include "base/task_group.h"
#include "base/time.h"
#include "net/signal.h"
#include "rpc/connection.h"

namespace mahavishnu::app {

struct BridgeOptions {
  base::Millis drain{10000};  // for what is in flight at the end of input, as the server has it
  // So many servers may be lost within `restart_window`; one more is an error.
  std::size_t max_restarts = 5;
  base::Millis restart_window{60000};
  base::Millis first_backoff{100};  // before the second restart of a window; doubles
};

class Bridge {
 public:
  // A connection that is ready for the client's messages.
  using Attach = std::function<base::awaitable<base::Result<std::unique_ptr<rpc::Connection>>>()>;

  Bridge(asio::any_io_executor executor, rpc::Connection& client, Attach attach,
         BridgeOptions options = {});

  // Until the client ends. An Error: there is no server and none can be started; the client has
  // been told so for everything it had asked.
  base::awaitable<base::Status> run();

 private:
  base::awaitable<void> read_client();
  base::awaitable<void> forward_answers();
  base::awaitable<base::Status> attach_again();
  base::awaitable<base::Status> connect();
  base::awaitable<void> tell_lost(std::string why);
  base::awaitable<void> to_client(std::string text);
  void end_of_input();
  base::awaitable<void> end_late();
  void finish();

  asio::any_io_executor executor_;
  rpc::Connection& client_;
  Attach attach_;
  BridgeOptions options_;
  Conversation conversation_;
  std::unique_ptr<rpc::Connection> server_;
  std::deque<base::MonoTime> losses_;  // within the window
  net::Signal changed_;
  asio::steady_timer timer_;         // back-off, or the drain at the end of input
  std::optional<std::string> held_;  // what the client said while there was no server
  bool input_ended_ = false;
  bool late_ = false;  // what is in flight at the end of input was waited for long enough
  bool done_ = false;
  base::TaskGroup group_;
};

}  // namespace mahavishnu::app
