// From a request to its one reply, whatever the door and the era.
//
// `accept` answers at once whatever needs no waiting (which is all but running a tool), and checks
// a tools/call down to its schema; `run` runs the tool. The doors (connection_door, http_door,
// script_door) keep what belongs to their transport: revisions agreed on, headers, sessions.
// A request has exactly one reply because both are functions that return one. One executor.
// Lifetime: longer than the doors.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <variant>

#include "base/asio.h"
#include "base/result.h"
#include "mcp/calls.h"
#include "mcp/eras.h"
#include "mcp/progress.h"
#include "mcp/registry.h"
#include "mcp/results.h"
#include "mcp/server.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// A whole JSON-RPC response, and its status where the door is HTTP.
struct [[nodiscard]] Reply {
  std::string text;
  int status = 200;
};

// A tool call that met its schema.
struct PreparedCall {
  const Registry::Entry* entry = nullptr;
  rpc::Json arguments;
  rpc::RequestId id;
  Revision revision = kNewestLegacy;
  rpc::Json progress_token;  // null: the caller wants no progress
  base::MonoTime seen;       // the last look at the clock, where calls are observed
};

// How a call ended.
struct Stopped {};  // by its caller, who must hear nothing more of it
struct Crashed {};  // by an exception: a bug, logged
using Outcome = std::variant<std::string, base::Error, Stopped, Crashed>;

class Dispatcher {
 public:
  Dispatcher(asio::any_io_executor executor, const ServerOptions& options, Registry registry,
             Observer observer);

  // A Reply where nothing has to be waited for. `revision` is that of the message; metadata and
  // headers were checked by the door, and `initialize` is the door's (it changes what the door
  // knows).
  std::variant<Reply, PreparedCall> accept(rpc::Request request, Revision revision,
                                           const View& view);

  // A call by name, for doors without JSON-RPC. NotFound: no such tool; Denied, Exhausted: by the
  // view's permit; InvalidArgument: against its schema; Unavailable: draining.
  base::Result<PreparedCall> prepare(std::string_view tool, rpc::Json arguments, const View& view);

  // The call's answer without running it, where its tool has it at hand (a coroutine of its own for
  // such a call costs more than all the rest of it), or nullptr. Valid until the next call.
  const KeptAnswer* at_hand(PreparedCall& call);

  // Runs the tool until it ends or `running` is stopped, sends progress to `sink` (nullptr: none),
  // and ends `running`. `view` and `sink` must outlive the awaitable.
  base::awaitable<Outcome> run(std::shared_ptr<RunningCall> running, PreparedCall call,
                               const View& view, ProgressSink* sink);

  // `run`, as a JSON-RPC response; nothing when the caller stopped it.
  base::awaitable<std::optional<Reply>> reply_to(std::shared_ptr<RunningCall> running,
                                                 PreparedCall call, const View& view,
                                                 ProgressSink* sink);

  // Whether a method exists in that era: over HTTP it is decided before the request's Mcp-Name.
  static bool knows(std::string_view method, Revision revision);

  Reply unknown_method(const rpc::Request& request, Revision revision) const;
  Reply failed(const rpc::RequestId& id, const base::Error& error, Revision revision) const;
  // Of a call that comes while its scope has as many in flight as it may.
  Reply overloaded(const PreparedCall& call, std::size_t in_flight) const;

  // From now on calls are refused with Unavailable.
  void drain() { draining_ = true; }

  Calls& calls() { return calls_; }
  const Results& results() const { return results_; }
  asio::any_io_executor executor() const { return executor_; }
  const ServerOptions& options() const { return options_; }

 private:
  std::variant<Reply, PreparedCall> accept_call(rpc::Request request, Revision revision,
                                                const View& view);
  Reply list(const rpc::Request& request, Revision revision, const View& view);
  base::awaitable<Outcome> supervised(RunningCall& running, const Registry::Entry& entry,
                                      rpc::Json arguments, Call& call);
  // Answer the time at which what follows begins: a look at the clock less.
  base::MonoTime observe(const Registry::Entry& entry, base::MonoTime started, bool ok) const;
  base::MonoTime observe(Stage stage, base::MonoTime started) const;
  using Answer = std::variant<std::string_view, const KeptAnswer*>;  // JSON text, or what is kept
  Reply succeeded(const rpc::RequestId& id, const Answer& answer, Revision revision,
                  base::MonoTime started) const;
  base::awaitable<Outcome> guarded(const Registry::Entry& entry, rpc::Json arguments, Call& call);

  asio::any_io_executor executor_;
  ServerOptions options_;
  Registry registry_;
  Results results_;
  Observer observer_;
  Calls calls_;
  bool draining_ = false;
};

// A JSON-RPC error as a reply, with its status over HTTP.
Reply refusal(const rpc::RequestId& id, const rpc::RpcError& error, Revision revision);

}  // namespace mahavishnu::mcp
