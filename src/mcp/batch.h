// A batch of JSON-RPC messages, which only 2025-03-26 has (it MUST be received there).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/asio.h"
#include "mcp/dispatcher.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// Runs the messages of one batch side by side and returns their replies as one JSON array, in the
// order in which they ended; "" when none has a reply. Calls are in `table` under their ids.
// A batch may not hold `initialize`. The references must outlive the awaitable.
base::awaitable<std::string> run_batch(Dispatcher& dispatcher, CallTable& table,
                                       std::shared_ptr<Peer> peer, const View& view,
                                       std::vector<rpc::Message> messages);

// notifications/cancelled: stops the call it names, if that still runs. Other notifications need no
// action here.
void take_notification(const rpc::Notification& notification, CallTable& table);

// -32600 for an id that a call of the same scope is using.
Reply duplicate_id(const rpc::RequestId& id, Revision revision);

}  // namespace mahavishnu::mcp
