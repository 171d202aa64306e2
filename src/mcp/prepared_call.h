// A request that must be waited for, checked and ready to run: a tool call, the reading of a
// resource, a prompt, a completion, or a subscription. And how it ended.
#pragma once

#include <memory>
#include <string>
#include <variant>

#include "base/result.h"
#include "base/time.h"
#include "mcp/eras.h"
#include "mcp/offer_requests.h"
#include "mcp/peer.h"
#include "mcp/registry.h"
#include "mcp/results.h"
#include "mcp/subscriptions.h"
#include "mcp/task_requests.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// Of a call whose handler may ask its client, in the modern era: what it is bound to, and what the
// client has answered so far.
struct Rounds {
  std::string digest;
  Answers kept;   // out of the request's state: trusted
  Answers given;  // with this request: not checked yet
};

struct PreparedCall {
  const Registry::Entry* entry = nullptr;      // a tool's …
  std::shared_ptr<const OfferWork> work;       // … or else other work …
  std::shared_ptr<const ChangeFilter> listen;  // … or else a subscription …
  std::shared_ptr<const TaskWork> task;        // … or else something about a task
  rpc::Json arguments;
  rpc::RequestId id;
  Revision revision = kNewestLegacy;
  rpc::Json progress_token;              // null: the caller wants no progress
  Meta metadata;                         // modern: what the client says of itself
  std::shared_ptr<Peer> peer;            // legacy: who asks
  std::shared_ptr<const Rounds> rounds;  // null: its handler asks nothing
  TaskWish task_wish = TaskWish::No;
  base::MonoTime seen;                   // the last look at the clock, where calls are observed
};

// How a call ended.
struct Members {  // of the result, as JSON text without its braces
  std::string text;
  ResultKind kind = ResultKind::Complete;
};
struct Stopped {};  // by its caller, who must hear nothing more of it
struct Crashed {};  // by an exception: a bug, logged
// A string is a tool's structured result, an Error a tool's failure.
using Outcome = std::variant<std::string, Members, base::Error, rpc::RpcError, Stopped, Crashed>;

// The members of an object, as JSON text without its braces.
std::string members_text(const rpc::Json& object);

}  // namespace mahavishnu::mcp
