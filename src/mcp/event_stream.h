// One event stream of a session, whatever connection carries it: that of the request it belongs to,
// then one after the other those on which the client comes back for the rest.
//
// Every event has an id, the stream's name and its number. What cannot be sent now is kept by the
// session's Replay. A client of 2025-11-25 is told an id at once by an event without data, so that
// it can come back whenever the connection ends (SEP-1699); older ones would take that for a broken
// message, and can come back after the first event. Opened by the first thing to tell. One
// executor. Lifetime: shared by whoever tells something and the Replay.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/asio.h"
#include "base/time.h"
#include "mcp/notices.h"
#include "mcp/replay.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::mcp {

using Exchange = std::shared_ptr<rpc::HttpExchange>;

class EventStream final : public NoticeSink, public std::enable_shared_from_this<EventStream> {
 public:
  // Of what: the first letter of its ids.
  enum class Of : char { Call = 'c', Session = 's' };

  // `retry`: how long a client is to wait before it comes back; 0: it has no events without data.
  EventStream(const std::shared_ptr<Replay>& replay, Exchange exchange, Of what,
              base::Millis retry);

  // Whose stream an id belonged to, also when it is not known any more.
  static bool is_of_session(std::string_view event_id) { return event_id.starts_with('s'); }

  // False when the peer went before it could be told an id: it cannot come back.
  base::awaitable<bool> send(std::string text) override;
  void open();
  // Opens it once the answer has taken so long. With `hold` each connection is ended after that
  // time, and the client comes back for the rest (0: none is; without `retry` neither).
  void be_patient(asio::any_io_executor executor, base::Millis after, base::Millis hold);
  // True: it was not opened, and will not be.
  bool forgo();
  // The last event ("": none) and the end; what the client has missed stays for it.
  base::awaitable<void> end(std::string last);

  // The client is here again, and has everything up to event `after`. A connection it had is ended.
  base::awaitable<void> resume(Exchange exchange, std::uint64_t after);
  // Calls `over` when no connection carried it for so long.
  void when_left(asio::any_io_executor executor, base::Millis time, std::function<void()> over);

  // For the Replay.
  const std::string& token() const { return token_; }
  bool is_over() const { return ended_; }
  std::size_t kept() const { return kept_.size(); }
  bool can_go_on_after(std::uint64_t number) const;
  void was_kept(const std::string& text) { kept_.push_back(&text); }
  void lost_oldest() { kept_.pop_front(); }
  void forget_kept() { kept_.clear(); }

 private:
  void after(base::Millis time, void (EventStream::*then)());
  void hold();
  void watch_peer();
  void left();
  void cut();
  std::string id_of(std::uint64_t number) const;
  std::optional<rpc::Event> primer() const;
  base::awaitable<void> deliver(std::uint64_t number, std::string text);
  base::awaitable<void> deliver_kept();

  std::weak_ptr<Replay> replay_;
  Exchange exchange_;  // null: no connection carries it now
  std::string token_;
  base::Millis retry_;
  bool opened_ = false;
  bool lost_ = false;
  bool ended_ = false;
  bool sending_ = false;                 // one event at a time
  std::uint64_t last_ = 0;               // number of the newest event; the first is 1
  std::uint64_t delivered_ = 0;          // that went to `exchange_`, with all before it
  std::deque<const std::string*> kept_;  // the newest of them, up to `last_`
  std::optional<asio::steady_timer> patience_;
  base::Millis hold_{0};
  std::optional<asio::steady_timer> alone_;
  base::Millis alone_at_most_{0};
  std::function<void()> over_;
};

}  // namespace mahavishnu::mcp
