#include "net/http_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/log.h"
#include "net/socket_exchange.h"

namespace mahavishnu::net {
namespace {

constexpr std::size_t kMaxBuffered = 64 * 1024;    // unparsed, while a handler is pending
constexpr std::size_t kMaxBacklog = 256 * 1024;    // past it no further request is begun
constexpr std::size_t kMaxDelayed = 16 * 1024;     // a longer answer leaves at once
constexpr std::size_t kKeptOutput = 64 * 1024;     // a larger output buffer is freed when empty
constexpr std::size_t kMaxDiscarded = 64 * 1024;   // of a refused body; a longer one: close
constexpr std::size_t kMaxLingered = 1024 * 1024;  // read and dropped before closing
constexpr std::size_t kLeastRoom = 512;
constexpr base::Millis kLingerTime{2000};
constexpr std::string_view kNoRoom = "too much is being sent by all clients together; try again";
constexpr std::string_view kLater = "Retry-After: 1\r\n";

bool has_no_body(int status) { return status == 204 || status == 304; }

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<HttpShared> shared, asio::ip::tcp::socket socket,
                               std::string local_address)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      local_address_(std::move(local_address)),
      in_(std::max(kMaxBuffered, shared_->options.limits.max_header_bytes + kLeastRoom)),
      parser_(shared_->options.limits.max_header_bytes) {}

HttpConnection::~HttpConnection() = default;

void HttpConnection::start() {
  asio::error_code ignored;
  socket_.non_blocking(true, ignored);
  enter(Phase::Idle, shared_->options.limits.idle_time);
  read_more();
}

void HttpConnection::enter(Phase phase, base::Millis time) {
  phase_ = phase;
  deadline_ = shared_->now + time + shared_->options.limits.sweep;
}

ResponseFrame HttpConnection::frame(std::string_view cors_origin) const {
  return {http_1_1_, keep_alive_, shared_->date_line, cors_origin};
}

// ---- in

void HttpConnection::read_more() {
  if (reading_ || input_ended_ || phase_ == Phase::Closing || phase_ == Phase::Closed) return;
  if (phase_ == Phase::Handling && in_.size() == 0) return watch_input();
  std::size_t wanted = ReadBuffer::kIdleBytes;
  if (phase_ == Phase::Body) {
    const auto& request = parser_.request();
    wanted = request.chunked ? kMaxBuffered / 4
                             : static_cast<std::size_t>(
                                   std::min<std::uint64_t>(request.content_length, kMaxBuffered));
  }
  in_.make_room(kLeastRoom, wanted);
  if (in_.free_size() == 0) return;  // full: what the peer pipelines has to wait
  reading_ = true;
  socket_.async_read_some(asio::buffer(in_.free_begin(), in_.free_size()),
                          [self = shared_from_this()](asio::error_code error, std::size_t bytes) {
                            self->on_read(error, bytes);
                          });
}

void HttpConnection::watch_input() {
  in_.release();
  reading_ = true;
  socket_.async_wait(asio::socket_base::wait_read,
                     [self = shared_from_this()](asio::error_code error) {
                       std::size_t bytes = 0;
                       if (!error && self->phase_ != Phase::Closed) {
                         self->in_.make_room(kLeastRoom, ReadBuffer::kIdleBytes);
                         bytes = self->socket_.read_some(
                             asio::buffer(self->in_.free_begin(), self->in_.free_size()), error);
                       }
                       if (error == asio::error::would_block) error = {};
                       self->on_read(error, bytes);
                     });
}

void HttpConnection::on_read(asio::error_code error, std::size_t bytes) {
  reading_ = false;
  if (phase_ == Phase::Closed) return;
  if (error == asio::error::eof) {
    input_ended();
  } else if (error) {
    close();
  } else if (phase_ == Phase::Lingering) {
    lingered_bytes_ += bytes;
    if (lingered_bytes_ > kMaxLingered) return close();
    read_more();
  } else {
    in_.received(bytes);
    process();
  }
}

// A client that waits for an answer and ends its side has gone away (a closed response stream is
// how MCP cancels). One that pipelined requests still gets the answers that are due.
void HttpConnection::input_ended() {
  input_ended_ = true;
  if (current_ != nullptr || phase_ == Phase::Lingering) return close();
  process();
}

void HttpConnection::process() {
  if (processing_ || phase_ == Phase::Closed) return;
  processing_ = true;
  while (step()) {
  }
  processing_ = false;
  const bool waits_for_input =
      phase_ == Phase::Idle || phase_ == Phase::Head || phase_ == Phase::Body;
  if (input_ended_ && waits_for_input && backlog() <= kMaxBacklog) phase_ = Phase::Closing;
  send();
  read_more();
}

// One move; false when more input, an answer or room in the output is needed first.
bool HttpConnection::step() {
  if (backlog() > kMaxBacklog) return false;
  switch (phase_) {
    case Phase::Idle:
    case Phase::Head:
      return step_head();
    case Phase::Body:
      return step_body();
    default:
      return false;
  }
}

bool HttpConnection::step_head() {
  std::size_t consumed = 0;
  const auto result = parser_.parse_head(in_.view(), consumed);
  in_.consume(consumed);
  switch (result) {
    case HttpRequestParser::Result::NeedMore:
      if (in_.size() > 0 && phase_ == Phase::Idle) {
        enter(Phase::Head, shared_->options.limits.header_time);
      }
      return false;
    case HttpRequestParser::Result::Failed:
      head_only_ = false;
      http_1_1_ = true;
      refuse(parser_.failure_status(), parser_.failure(), true);
      return false;
    case HttpRequestParser::Result::Ready:
      admit();
      return true;
  }
  return false;
}

void HttpConnection::admit() {
  const auto& request = parser_.request();
  const auto& limits = shared_->options.limits;
  ++requests_;
  http_1_1_ = request.http_1_1;
  keep_alive_ = request.keep_alive && (limits.max_requests_per_connection == 0 ||
                                       requests_ < limits.max_requests_per_connection);
  head_only_ = request.method == "HEAD";
  discard_body_ = false;
  admission_ = Admission{};
  const HttpDoor door{shared_->hosts, local_address_};
  if (const auto refusal = check_request(request, shared_->options, door, admission_)) {
    return turn_back(*refusal);
  }
  if (!request.has_body()) return dispatch();
  if (!room_for_body(request.content_length)) {
    const Refusal refusal{503, std::string(kNoRoom), std::string(kLater), admission_.cors_origin};
    return turn_back(refusal);
  }
  enter(Phase::Body, limits.body_time);
  if (http_1_1_ && !request.header("expect").empty() && in_.size() == 0) {
    out_ += "HTTP/1.1 100 Continue\r\n\r\n";
  }
}

bool HttpConnection::step_body() {
  std::size_t consumed = 0;
  const auto result = parser_.parse_body(in_.view(), shared_->options.limits.max_body_bytes,
                                         !discard_body_, consumed);
  in_.consume(consumed);
  if (!discard_body_ && !room_for_body(parser_.request().body.size())) {
    keep_alive_ = false;
    append_refusal(503, kNoRoom, kLater, admission_.cors_origin);
    next_request();
    return false;
  }
  switch (result) {
    case HttpRequestParser::Result::NeedMore:
      return false;
    case HttpRequestParser::Result::Failed:
      if (discard_body_) {
        phase_ = Phase::Closing;
      } else {
        refuse(parser_.failure_status(), parser_.failure(), true);
      }
      return false;
    case HttpRequestParser::Result::Ready:
      if (discard_body_) {
        next_request();
      } else {
        dispatch();
      }
      return true;
  }
  return false;
}

bool HttpConnection::room_for_body(std::uint64_t bytes) {
  return body_share_.grow_to(bytes, shared_->stats.body_bytes,
                             shared_->options.limits.max_total_body_bytes);
}

void HttpConnection::drop_body() {
  body_share_.give_back();
  parser_.request().body = std::string();
}

void HttpConnection::dispatch() {
  phase_ = Phase::Handling;
  if (shared_->options.observe) asked_ = base::mono_now();
  ++shared_->stats.requests;
  auto exchange = std::make_shared<SocketExchange>(shared_, *this, std::move(parser_.request()),
                                                   std::move(admission_), std::move(body_share_));
  current_ = exchange.get();
  shared_->handlers.start([&] { return shared_->handler(std::move(exchange)); });
}

// ---- out

void HttpConnection::append_refusal(int status, std::string_view message, std::string_view headers,
                                    std::string_view cors_origin) {
  std::string body;
  if (!has_no_body(status)) {
    body = error_body(status, message);
    ++shared_->stats.refused;
  }
  append_head(out_, frame(cors_origin), status, body.empty() ? "" : "application/json", body.size(),
              {}, headers);
  if (!head_only_) out_ += body;
}

void HttpConnection::refuse(int status, std::string_view message, bool close_after) {
  if (close_after) keep_alive_ = false;
  append_refusal(status, message, {}, {});
  next_request();
}

// Answered before its body came. A short body is read past, so that the connection can go on.
void HttpConnection::turn_back(const Refusal& refusal) {
  const auto& request = parser_.request();
  const bool waits_for_100 = !request.header("expect").empty();
  if (request.has_body() &&
      (waits_for_100 || refusal.status == 413 || request.content_length > kMaxDiscarded)) {
    keep_alive_ = false;
  }
  append_refusal(refusal.status, refusal.message, refusal.headers, refusal.cors_origin);
  if (!keep_alive_ || !request.has_body()) return next_request();
  discard_body_ = true;
  enter(Phase::Body, shared_->options.limits.body_time);
}

void HttpConnection::respond(SocketExchange& exchange, int status, std::string_view content_type,
                             std::string_view body, const rpc::HeaderList& headers) {
  append_head(out_, frame(exchange.cors_origin()), status, content_type, body.size(), headers);
  if (!head_only_ && !has_no_body(status)) out_ += body;
  observe(exchange, status);
  exchange_ended();
}

void HttpConnection::start_stream(SocketExchange& exchange, const rpc::HeaderList& headers,
                                  const std::optional<rpc::Event>& first) {
  if (!http_1_1_) keep_alive_ = false;  // without chunks the end of the connection ends the body
  append_stream_head(out_, frame(exchange.cors_origin()), headers);
  if (first && !head_only_) append_chunk(out_, event_text(*first), http_1_1_);
  last_event_ = shared_->now;
  flush();
}

void HttpConnection::append_event(std::string_view text) {
  if (!head_only_) append_chunk(out_, text, http_1_1_);
  last_event_ = shared_->now;
  flush();
}

void HttpConnection::send_event(SocketExchange&, const rpc::Event& event) {
  append_event(event_text(event));
}

void HttpConnection::end_stream(SocketExchange& exchange) {
  if (!head_only_ && http_1_1_) out_ += "0\r\n\r\n";
  observe(exchange, 200);
  exchange_ended();
}

void HttpConnection::dropped(SocketExchange& exchange, bool streaming) {
  if (streaming) {  // cut short without the last chunk: the client sees that it is not whole
    current_ = nullptr;
    return close();
  }
  append_refusal(500, "the request was dropped without an answer", {}, exchange.cors_origin());
  exchange_ended();
}

void HttpConnection::observe(const SocketExchange& exchange, int status) const {
  const auto& told = shared_->options.observe;
  if (told) told(exchange.path(), status, base::mono_now() - asked_);
}

void HttpConnection::exchange_ended() {
  current_ = nullptr;
  next_request();
  if (processing_) return;  // it ended at once: the loop in process() goes on
  send();
  if (phase_ == Phase::Closed) return;
  if (in_.size() > 0 || input_ended_) {
    asio::post(shared_->executor, [self = shared_from_this()] { self->process(); });
  } else {
    read_more();
  }
}

void HttpConnection::next_request() {
  drop_body();
  if (keep_alive_) {
    enter(Phase::Idle, shared_->options.limits.idle_time);
  } else {
    phase_ = Phase::Closing;
  }
}

void HttpConnection::send() {
  if (phase_ == Phase::Idle && backlog() > 0 && backlog() <= kMaxDelayed) {
    shared_->flush_soon(shared_from_this());
  } else {
    flush();
  }
}

void HttpConnection::flush() {
  if (writing_ || phase_ == Phase::Closed) return;
  while (backlog() > 0) {
    const auto sent = ::send(socket_.native_handle(), out_.data() + sent_, backlog(), MSG_NOSIGNAL);
    if (sent >= 0) {
      sent_ += static_cast<std::size_t>(sent);
    } else if (errno == EAGAIN) {
      return wait_writable();
    } else if (errno != EINTR) {
      return close();
    }
  }
  sent_ = 0;
  out_.clear();
  if (out_.capacity() > kKeptOutput) out_.shrink_to_fit();
  if (phase_ == Phase::Closing) linger();
}

void HttpConnection::wait_writable() {
  writing_ = true;
  write_deadline_ = shared_->now + shared_->options.limits.write_time;
  if (sent_ > backlog()) {
    out_.erase(0, sent_);
    sent_ = 0;
  }
  socket_.async_wait(asio::socket_base::wait_write,
                     [self = shared_from_this()](asio::error_code error) {
                       self->writing_ = false;
                       if (self->phase_ == Phase::Closed) return;
                       if (error) return self->close();
                       self->flush();
                       if (self->current_ != nullptr) self->current_->output_moved();
                       self->process();
                     });
}

// Closing with unread input would reset the connection and could take the answer with it: the
// sending side is ended, and what the peer still sends is read and dropped for a moment.
void HttpConnection::linger() {
  if (input_ended_) return close();
  asio::error_code ignored;
  socket_.shutdown(asio::socket_base::shutdown_send, ignored);
  enter(Phase::Lingering, kLingerTime);
  in_.consume(in_.size());
  read_more();
}

void HttpConnection::close() {
  if (phase_ == Phase::Closed) return;
  phase_ = Phase::Closed;
  drop_body();
  asio::error_code ignored;
  socket_.close(ignored);
  // Callers up the stack may still look at it.
  asio::post(shared_->executor, [self = shared_from_this()] {});
  shared_->remove(*this);
  if (auto* exchange = std::exchange(current_, nullptr)) exchange->peer_gone();
}

// ---- time

void HttpConnection::sweep() {
  const auto& limits = shared_->options.limits;
  if (writing_ && shared_->now >= write_deadline_) {
    ++shared_->stats.timed_out;
    return close();
  }
  if (current_ != nullptr && current_->streaming() && backlog() == 0) {
    if (shared_->now - last_event_ >= limits.stream_keep_alive) {
      return append_event(": keep-alive\n\n");
    }
    out_ = std::string();  // it may be silent for long
  }
  sweep_phase();
}

void HttpConnection::sweep_phase() {
  const bool due = shared_->now >= deadline_;
  switch (phase_) {
    case Phase::Idle:
      if (backlog() > 0) return;
      if (due) return close();
      if (out_.capacity() > 0) out_ = std::string();
      return;
    case Phase::Head:
    case Phase::Body:
      if (!due || backlog() > 0) return;
      ++shared_->stats.timed_out;
      if (discard_body_) return close();
      refuse(408, "the request took too long to arrive", true);
      return flush();
    case Phase::Lingering:
      if (due) close();
      return;
    default:
      return;
  }
}

}  // namespace mahavishnu::net
