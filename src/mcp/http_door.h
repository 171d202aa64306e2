// The MCP endpoint over HTTP: POST for both eras; DELETE, and GET for what changes, for the
// sessions of the legacy ones.
//
// Modern requests are stateless and their headers are checked against the body; when the peer goes,
// its call is cancelled. Legacy requests belong to a session; there a lost connection cancels
// nothing, notifications/cancelled does, and what was told on a stream meanwhile waits for the
// client to come back by GET with its Last-Event-ID. An answer is JSON, or an event stream once a
// call has something to tell before it, or takes long. One executor. Lifetime: longer than the
// exchanges.
#pragma once

#include <memory>

#include "base/asio.h"
#include "mcp/dispatcher.h"
#include "mcp/event_stream.h"
#include "mcp/http_headers.h"
#include "mcp/replay.h"
#include "mcp/sessions.h"
#include "rpc/codec.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::mcp {

class HttpDoor {
 public:
  explicit HttpDoor(Dispatcher& dispatcher);

  rpc::HttpRest handle(Exchange exchange, View view);

  const ReplayFigures& replay_figures() const { return replays_.figures(); }

 private:
  rpc::HttpRest post(Exchange exchange, View view);
  base::awaitable<void> post_long(Exchange exchange, View view, std::string body);
  rpc::HttpRest take(Exchange exchange, View view, rpc::Decoded decoded);
  void end_session(const Exchange& exchange, const View& view);
  rpc::HttpRest open_stream(Exchange exchange, const View& view);
  base::awaitable<void> tell(std::shared_ptr<Session> session, std::shared_ptr<EventStream> stream,
                             View view,
                             std::shared_ptr<RunningCall> running);
  base::awaitable<void> resume(std::shared_ptr<Session> session, Replay::Place place,
                               Exchange exchange);
  std::shared_ptr<EventStream> stream_of(Session& session, Exchange exchange, EventStream::Of what);

  rpc::HttpRest modern(Exchange exchange, View view, rpc::Request request);
  rpc::HttpRest legacy(Exchange exchange, View view, rpc::Request request);
  base::awaitable<void> legacy_batch(Exchange exchange, View view,
                                     std::vector<rpc::Message> messages);
  void notified(const Exchange& exchange, const View& view, const rpc::Notification& notification);
  void answered(const Exchange& exchange, const View& view, const rpc::Response& response);
  void initialize(const Exchange& exchange, const View& view, const rpc::Request& request);
  base::awaitable<void> run(Exchange exchange, View view, PreparedCall call,
                            std::shared_ptr<RunningCall> running);
  base::awaitable<void> run_in_session(std::shared_ptr<Session> session, Exchange exchange,
                                       View view, PreparedCall call,
                                       std::shared_ptr<RunningCall> running);

  // The legacy session a request belongs to; otherwise nullptr, and the exchange has its answer.
  std::shared_ptr<Session> session_of(const Exchange& exchange, const View& view,
                                      const rpc::RequestId& id);

  Dispatcher& dispatcher_;
  ReplayStore replays_;
  Sessions sessions_;
};

}  // namespace mahavishnu::mcp
