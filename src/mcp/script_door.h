// POST /tools/call for scripts: {"name","arguments"} in, the structured result or an error out.
//
// No JSON-RPC, no eras, no sessions: the same tools through the same dispatcher. When the peer
// goes, its call is cancelled. One executor. Lifetime: longer than the exchanges.
#pragma once

#include <memory>

#include "base/asio.h"
#include "mcp/dispatcher.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::mcp {

class ScriptDoor {
 public:
  explicit ScriptDoor(Dispatcher& dispatcher) : dispatcher_(dispatcher) {}

  rpc::HttpRest handle(std::shared_ptr<rpc::HttpExchange> exchange, View view);

 private:
  base::awaitable<void> run(std::shared_ptr<rpc::HttpExchange> exchange, View view,
                            PreparedCall call);
  base::awaitable<void> handle_long(std::shared_ptr<rpc::HttpExchange> exchange, View view,
                                    std::string body);
  rpc::HttpRest take(std::shared_ptr<rpc::HttpExchange> exchange, View view,
                     base::Result<rpc::Json> body);
  // `challenge`: what to say of a call that was Denied, as Dispatcher::challenge has it.
  base::Result<PreparedCall> read(base::Result<rpc::Json> body, const View& view,
                                  std::string& challenge);

  Dispatcher& dispatcher_;
};

}  // namespace mahavishnu::mcp
