// The HttpExchange of a request that came over a socket.
//
// Owned by whoever still answers; the connection only points to it and lets go when it ended or the
// peer has gone. Destroyed without an answer it makes the connection answer 500, so that a handler
// that throws or forgets leaves no client waiting. A second answer is refused, logged and counted.
#pragma once

#include <optional>

#include "net/http_connection.h"
#include "net/signal.h"

namespace mahavishnu::net {

class SocketExchange final : public rpc::HttpExchange,
                             public std::enable_shared_from_this<SocketExchange> {
 public:
  SocketExchange(std::shared_ptr<HttpShared> shared, HttpConnection& connection,
                 HttpRequest request, Admission admission, BodyShare body_share);
  ~SocketExchange() override;

  std::string_view method() const override;  // HEAD shows as GET: the door leaves the body out
  std::string_view path() const override { return request_.text(request_.path); }
  std::string_view query() const override { return request_.text(request_.query); }
  std::string_view header(std::string_view name) const override { return request_.header(name); }
  std::string take_body() override { return std::move(request_.body); }
  std::string_view caller() const override { return admission_.caller; }

  void respond(int status, std::string_view content_type, std::string body,
               rpc::HeaderList headers) override;
  void start_stream(rpc::HeaderList headers, std::optional<rpc::Event> first) override;
  base::awaitable<bool> send_event(rpc::Event event) override;
  void end_stream() override;
  void on_gone(std::function<void()> callback) override;
  bool gone() const override { return gone_; }

  // For the connection.
  std::string_view cors_origin() const { return admission_.cors_origin; }
  bool streaming() const { return state_ == State::Streaming; }
  void peer_gone();
  void output_moved();  // room for events again

 private:
  enum class State { Open, Streaming, Ended };

  bool may(State needed, const char* what);
  static base::awaitable<bool> send(std::shared_ptr<SocketExchange> self, rpc::Event event);

  std::shared_ptr<HttpShared> shared_;
  HttpConnection* connection_;  // null when it ended or the peer has gone
  HttpRequest request_;
  Admission admission_;
  BodyShare body_share_;  // until the answer: what the handler made of the body lives as long
  State state_ = State::Open;
  bool gone_ = false;
  std::function<void()> on_gone_;
  std::optional<Signal> room_;  // made when a sender has to wait
};

}  // namespace mahavishnu::net
