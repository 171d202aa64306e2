// One HTTP request and its way back, as the protocol layers see it. `net` implements it on sockets;
// a test implements it in memory.
//
// The door has already checked: request line, header and body limits, token, Origin, Host. Exactly
// one of `respond` or `start_stream` … `end_stream` ends the exchange; a second one is a bug:
// refused, logged and counted, so that it cannot spoil the next answer on the connection. Dropped
// by all who hold it without an end, the exchange is answered 500. One executor. Lifetime: that of
// whoever still answers; after the peer has gone every call is a no-op and `gone()` is true.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/asio.h"

namespace mahavishnu::rpc {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

// One server-sent event (HTML, section 9.2). What is empty is left out, but for the data: an event
// without data is no message, and only tells the peer the id after which it may come back.
struct Event {
  std::string data;
  std::string id = {};    // of the peer's Last-Event-ID; no line break and no NUL
  std::string name = {};  // "event:"; empty: a message
  int retry_ms = 0;       // how long the peer is to wait before it comes back; 0: nothing is said
};

class HttpExchange {
 public:
  virtual ~HttpExchange() = default;

  virtual std::string_view method() const = 0;  // "POST"
  virtual std::string_view path() const = 0;    // without the query
  virtual std::string_view query() const = 0;   // without '?'
  // First value of that name (any case), trimmed; nullptr-data view (data()==nullptr) when absent.
  virtual std::string_view header(std::string_view name) const = 0;
  // The whole body, moved out; call once.
  virtual std::string take_body() = 0;
  // Who the credential names; for fair share and audit. "local" without authentication.
  virtual std::string_view caller() const = 0;

  virtual void respond(int status, std::string_view content_type, std::string body,
                       HeaderList headers = {}) = 0;

  // An SSE response: head now, and with it `first` where there is one; then events, then the end.
  virtual void start_stream(HeaderList headers = {}, std::optional<Event> first = {}) = 0;
  // Waits while the peer reads too slowly (bounded); Unavailable-free: returns false when it is
  // gone, or when the stream was ended meanwhile.
  virtual base::awaitable<bool> send_event(Event event) = 0;
  virtual void end_stream() = 0;

  // Called once when the peer goes before the exchange ended. Set it before the first co_await.
  virtual void on_gone(std::function<void()> callback) = 0;
  virtual bool gone() const = 0;
};

// What is left of a request when its handler returns; nullopt: nothing, it has its answer. A
// coroutine for what is answered at once would cost as much as the answer.
using HttpRest = std::optional<base::awaitable<void>>;
using HttpHandler = std::function<HttpRest(std::shared_ptr<HttpExchange>)>;

}  // namespace mahavishnu::rpc
