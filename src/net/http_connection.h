// One HTTP connection: reads requests, lets them in or refuses them, hands each to the handler and
// writes the answers in order.
//
// One request at a time: what a client pipelines behind it waits unparsed in a bounded buffer, and
// the answers of a turn leave in one write. While a handler is pending the connection keeps
// reading, so that a peer that goes away is noticed. Everything is driven by completions, not by a
// coroutine: an idle connection costs its socket, one pending read and 4 KiB; one whose request is
// being answered, for hours where it is a stream, only waits for input and has no room for it. One
// executor; shared by the server's list and by what is pending on the socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/task_group.h"
#include "net/body_share.h"
#include "net/http_gate.h"
#include "net/http_request_parser.h"
#include "net/http_response.h"
#include "net/read_buffer.h"
#include "rpc/http_exchange.h"

namespace mahavishnu::net {

class HttpConnection;
class SocketExchange;

struct HttpStats {
  std::uint64_t accepted = 0;
  std::uint64_t turned_away = 0;  // over max_connections
  std::uint64_t requests = 0;     // that reached the handler
  std::uint64_t refused = 0;      // by the door
  std::uint64_t timed_out = 0;
  std::uint64_t second_answers = 0;  // bugs of handlers: refused and logged
  std::size_t connections = 0;       // open now
  std::size_t pending = 0;           // requests without an answer yet, now
  std::uint64_t body_bytes = 0;      // of their bodies, now
};

// What the connections of one server have in common.
struct HttpShared : std::enable_shared_from_this<HttpShared> {
  HttpShared(asio::any_io_executor executor, HttpOptions options, rpc::HttpHandler handler);

  void refresh_clock();  // `now`, and the Date header once a second
  void add(std::shared_ptr<HttpConnection> connection);
  void remove(HttpConnection& connection);
  // Flushes `connection` with the others of this turn. A peer that sleeps is woken by the first
  // bytes it gets: answers that leave together wake it once, not once each.
  void flush_soon(std::shared_ptr<HttpConnection> connection);
  void flush_all();

  asio::any_io_executor executor;
  HttpOptions options;
  rpc::HttpHandler handler;
  base::TaskGroup handlers;
  HttpStats stats;
  std::vector<std::string> hosts;  // that were listened on
  bool wildcard = false;           // one of them is any address of this machine
  bool stopped = false;
  base::MonoTime now;  // as exact as the sweep
  std::string date_line;
  base::WallTime date_at{};
  std::vector<std::shared_ptr<HttpConnection>> connections;

 private:
  std::vector<std::shared_ptr<HttpConnection>> unsent_;
  bool flush_posted_ = false;
};

class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  // `local_address`: of this machine, that the peer came to; needed where any address is bound.
  HttpConnection(std::shared_ptr<HttpShared> shared, asio::ip::tcp::socket socket,
                 std::string local_address);
  ~HttpConnection();

  void start();
  // Sends what it can without waiting.
  void flush();
  // Deadlines, keep-alive comments, memory of idle connections. At most every `limits.sweep`.
  void sweep();
  // Ends it now; a pending exchange learns that its peer is gone.
  void close();

  // For the exchange in progress only.
  void respond(SocketExchange& exchange, int status, std::string_view content_type,
               std::string_view body, const rpc::HeaderList& headers);
  void start_stream(SocketExchange& exchange, const rpc::HeaderList& headers,
                    const std::optional<rpc::Event>& first);
  void send_event(SocketExchange& exchange, const rpc::Event& event);
  void end_stream(SocketExchange& exchange);
  void dropped(SocketExchange& exchange, bool streaming);  // its handler ended without an answer
  std::size_t backlog() const { return out_.size() - sent_; }

  std::size_t list_index = 0;  // in HttpShared::connections, which keeps it

 private:
  enum class Phase { Idle, Head, Body, Handling, Closing, Lingering, Closed };

  // In.
  void read_more();
  void watch_input();
  void on_read(asio::error_code error, std::size_t bytes);
  void input_ended();
  void process();
  bool step();
  bool step_head();
  bool step_body();
  void admit();
  void dispatch();
  bool room_for_body(std::uint64_t bytes);
  void drop_body();

  // Out.
  void refuse(int status, std::string_view message, bool close_after);
  void turn_back(const Refusal& refusal);
  void append_refusal(int status, std::string_view message, std::string_view headers,
                      std::string_view cors_origin);
  void append_event(std::string_view text);
  void observe(const SocketExchange& exchange, int status) const;
  void exchange_ended();
  void next_request();
  void send();  // with the others of this turn where that saves something
  void wait_writable();
  void linger();

  void sweep_phase();
  void enter(Phase phase, base::Millis time);
  ResponseFrame frame(std::string_view cors_origin) const;

  std::shared_ptr<HttpShared> shared_;
  asio::ip::tcp::socket socket_;
  std::string local_address_;
  Phase phase_ = Phase::Idle;
  base::MonoTime deadline_;        // of the phase
  base::MonoTime asked_;           // when the handler got the request in progress
  base::MonoTime write_deadline_;  // while waiting for the peer to take bytes
  base::MonoTime last_event_;      // of the stream in progress

  ReadBuffer in_;
  HttpRequestParser parser_;
  Admission admission_;
  BodyShare body_share_;  // of the request that arrives
  std::string out_;       // the first `sent_` bytes are with the kernel
  std::size_t sent_ = 0;

  SocketExchange* current_ = nullptr;  // owned by whoever answers
  std::size_t requests_ = 0;
  std::size_t lingered_bytes_ = 0;
  bool http_1_1_ = true;  // of the request in progress
  bool keep_alive_ = true;
  bool discard_body_ = false;  // it was answered already
  bool head_only_ = false;     // HEAD: no body goes out
  bool reading_ = false;
  bool writing_ = false;
  bool processing_ = false;
  bool input_ended_ = false;
};

}  // namespace mahavishnu::net
