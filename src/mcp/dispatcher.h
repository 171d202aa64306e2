// From a request to its one reply, whatever the door and the era.
//
// `accept` answers at once whatever needs no waiting, and checks what does (a tools/call down to
// its schema); `run` runs its handler. The doors (connection_door, http_door, script_door) keep
// what belongs to their transport: revisions agreed on, headers, sessions. A request has exactly
// one reply because both are functions that return one. One executor. Lifetime: longer than the
// doors.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/asio.h"
#include "base/result.h"
#include "mcp/active_call.h"
#include "mcp/calls.h"
#include "mcp/catalog.h"
#include "mcp/eras.h"
#include "mcp/notices.h"
#include "mcp/offer_requests.h"
#include "mcp/prepared_call.h"
#include "mcp/registry.h"
#include "mcp/request_state.h"
#include "mcp/results.h"
#include "mcp/server.h"
#include "mcp/subscriptions.h"
#include "mcp/task_requests.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// A whole JSON-RPC response, and its status where the door is HTTP.
struct [[nodiscard]] Reply {
  std::string text;
  int status = 200;
  std::string challenge = {};  // WWW-Authenticate, of a 403
};

class Dispatcher {
 public:
  Dispatcher(asio::any_io_executor executor, const ServerOptions& options, Registry registry,
             Catalog catalog, Observer observer);

  // A Reply where nothing has to be waited for. `revision` is that of the message; metadata and
  // headers were checked by the door, and `initialize` is the door's (it changes what the door
  // knows). `peer` is null in the modern era.
  std::variant<Reply, PreparedCall> accept(rpc::Request request, Revision revision,
                                           const View& view, const std::shared_ptr<Peer>& peer);

  // A call by name, for doors without JSON-RPC. NotFound: no such tool; Denied, Exhausted: by the
  // view's permit; InvalidArgument: against its schema; Unavailable: draining.
  base::Result<PreparedCall> prepare(std::string_view tool, rpc::Json arguments, const View& view);

  // Of a call that was Denied: the value of WWW-Authenticate which tells its caller how to be let
  // in, by the view's permit; "" where there is no such way.
  std::string challenge(std::string_view tool, const View& view) const;

  // The call's answer without running it, where its tool has it at hand (a coroutine of its own for
  // such a call costs more than all the rest of it), or nullptr. Valid until the next call.
  const KeptAnswer* at_hand(PreparedCall& call);

  // Runs the handler until it ends or `running` is stopped, sends notices to `sink` (nullptr:
  // none), and ends `running`. `view` and `sink` must outlive the awaitable.
  base::awaitable<Outcome> run(std::shared_ptr<RunningCall> running, PreparedCall call,
                               const View& view, NoticeSink* sink);

  // `run`, as a JSON-RPC response; nothing when the caller stopped it. A subscription tells `sink`
  // (which must be there) of changes until it is stopped.
  base::awaitable<std::optional<Reply>> reply_to(std::shared_ptr<RunningCall> running,
                                                 PreparedCall call, const View& view,
                                                 NoticeSink* sink);

  // Tells a client with a session of every change it may hear of, until `running` is stopped.
  base::awaitable<void> tell_session(std::shared_ptr<RunningCall> running,
                                     std::shared_ptr<Peer> peer, const View& view,
                                     NoticeSink& sink);

  // Whether a method exists in that era: over HTTP it is decided before the request's Mcp-Name.
  bool knows(std::string_view method, Revision revision) const;

  // The parameters of a tool that are repeated in headers; nullptr: none are.
  const std::vector<HeaderParam>* header_params(std::string_view tool, const View& view) const;

  Reply unknown_method(const rpc::Request& request, Revision revision) const;
  Reply failed(const rpc::RequestId& id, const base::Error& error, Revision revision) const;
  // Of a call that comes while its scope has as many in flight as it may.
  Reply overloaded(const PreparedCall& call, std::size_t in_flight) const;

  // From now on calls are refused with Unavailable, and no stream begins.
  void drain() { draining_ = true; }
  bool draining() const { return draining_; }

  Calls& calls() { return calls_; }
  Subscriptions& subscriptions() { return subscriptions_; }
  // Whether clients can be told of any change at all, from now on.
  bool tells() const { return capabilities_.tells() && !draining_; }
  const Results& results() const { return results_; }
  asio::any_io_executor executor() const { return executor_; }
  const ServerOptions& options() const { return options_; }

 private:
  using Accepted = std::variant<Reply, PreparedCall>;
  Accepted accept_call(rpc::Request request, Revision revision, const View& view,
                       const std::shared_ptr<Peer>& peer);
  Accepted accept_offer(rpc::Request request, OfferRequests::Taken taken, Revision revision,
                        const View& view, const std::shared_ptr<Peer>& peer);
  Accepted accept_task(rpc::Request request, Revision revision, const View& view,
                       const std::shared_ptr<Peer>& peer);
  Accepted accept_listen(rpc::Request request, const View& view);
  std::optional<Reply> accept_from_peer(const rpc::Request& request, Revision revision, Peer& peer);
  Reply list(const rpc::Request& request, Revision revision, const View& view);
  // What every call has from its request, and what is wrong with it.
  std::optional<rpc::RpcError> fill(PreparedCall& call, const rpc::Request& request,
                                    Revision revision, const View& view,
                                    const std::shared_ptr<Peer>& peer, bool asks);
  base::Result<std::shared_ptr<const Rounds>> rounds_of(const PreparedCall& call,
                                                        const rpc::Request& request,
                                                        const View& view) const;
  base::awaitable<Outcome> guarded(PreparedCall& call, Call& active);
  base::awaitable<Outcome> supervised(RunningCall& running, PreparedCall& call, Call& active);
  base::awaitable<std::optional<Reply>> listen(std::shared_ptr<RunningCall> running,
                                               PreparedCall call, const View& view,
                                               NoticeSink& sink);
  base::awaitable<void> tell(std::shared_ptr<RunningCall> running, Subscription& subscription,
                             NoticeSink& sink);
  // The beginning of what is observed; unread where nobody does.
  template <class Observed>
  static base::MonoTime begun(const Observed& observed) {
    return observed ? base::mono_now() : base::MonoTime{};
  }
  // Answer the time at which what follows begins: a look at the clock less.
  base::MonoTime observe(const Registry::Entry* entry, base::MonoTime started, bool ok) const;
  base::MonoTime observe(Stage stage, base::MonoTime started) const;
  using Answer = std::variant<std::string_view, const KeptAnswer*>;  // JSON text, or what is kept
  Reply succeeded(const rpc::RequestId& id, const Answer& answer, Revision revision,
                  base::MonoTime started) const;

  asio::any_io_executor executor_;
  ServerOptions options_;
  Registry registry_;
  Catalog catalog_;
  Capabilities capabilities_;
  OfferRequests offer_requests_;
  TaskRequests task_requests_;
  std::vector<std::string_view> legacy_methods_;
  std::vector<std::string_view> modern_methods_;
  Results results_;
  RequestState states_;
  ActiveCall::Ground ground_;
  Subscriptions subscriptions_;
  Observer observer_;
  Calls calls_;
  bool draining_ = false;
};

// A JSON-RPC error as a reply, with its status over HTTP.
Reply refusal(const rpc::RequestId& id, const rpc::RpcError& error, Revision revision);

}  // namespace mahavishnu::mcp
