#include "mcp/http_door.h"

#include "mcp/batch.h"
#include "mcp/elsewhere.h"
#include "mcp/error_map.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kSessionHeader = "Mcp-Session-Id";
constexpr std::string_view kLastEvent = "Last-Event-ID";

void respond(const Exchange& exchange, Reply reply) {
  rpc::HeaderList headers;
  if (!reply.challenge.empty()) headers = {{"WWW-Authenticate", std::move(reply.challenge)}};
  exchange->respond(reply.status, kJson, std::move(reply.text), std::move(headers));
}

void refuse(const Exchange& exchange, int status, const rpc::RequestId& id,
            const rpc::RpcError& error) {
  exchange->respond(status, kJson, rpc::encode_error(id, error));
}

void refuse(const Exchange& exchange, int status, std::string message) {
  refuse(exchange, status, rpc::RequestId{},
         rpc_error(error_code::kInvalidRequest, std::move(message)));
}

void accepted(const Exchange& exchange) { exchange->respond(202, {}, {}); }

std::optional<std::string_view> header(const Exchange& exchange, std::string_view name) {
  const std::string_view value = exchange->header(name);
  if (value.data() == nullptr) return std::nullopt;
  return value;
}

RequestHeaders headers_of(const Exchange& exchange) {
  return {header(exchange, "MCP-Protocol-Version"), header(exchange, "Mcp-Method"),
          header(exchange, "Mcp-Name")};
}

bool modern_header(const Exchange& exchange) {
  const auto version = header(exchange, "MCP-Protocol-Version");
  const auto revision = version ? parse_revision(*version) : std::nullopt;
  return revision && is_modern(*revision);
}

// The parameter that Mcp-Name repeats; nullptr: none.
const char* name_of(std::string_view method) {
  if (method == "tools/call" || method == "prompts/get") return "name";
  if (method == "resources/read") return "uri";
  return method.starts_with("tasks/") ? "taskId" : nullptr;
}

// Of a tool whose parameters a client repeats in headers.
std::optional<Reply> check_params(const Exchange& exchange, const rpc::Request& request,
                                  const View& view, const Dispatcher& dispatcher) {
  if (request.method != "tools/call" || !request.params.is_object()) return std::nullopt;
  const auto name = request.params.find("name");
  if (name == request.params.end() || !name->is_string()) return std::nullopt;
  const auto* params = dispatcher.header_params(name->get_ref<const std::string&>(), view);
  if (params == nullptr) return std::nullopt;
  const auto arguments = request.params.find("arguments");
  const auto error = check_header_params(
      *params, arguments != request.params.end() ? *arguments : rpc::Json::object(),
      [&exchange](const std::string& header_name) { return header(exchange, header_name); });
  return error ? std::optional<Reply>({rpc::encode_error(request.id, *error), 400}) : std::nullopt;
}

// Metadata and headers of a modern request, in the order that tells a client most: which revision,
// whether the method exists at all, and only then what the method needs.
std::optional<Reply> check_modern(const RequestHeaders& headers, const rpc::Request& request,
                                  const Dispatcher& dispatcher) {
  const auto refused = [&request](const rpc::RpcError& error) {
    return Reply{rpc::encode_error(request.id, error), 400};
  };
  const rpc::Json* claimed = claimed_version(request.metadata);
  if (claimed != nullptr && claimed->is_string()) {
    const auto& version = claimed->get_ref<const std::string&>();
    if (const auto error = check_version_header(headers, version)) return refused(*error);
  }
  if (const auto error = check_metadata(request.metadata)) return refused(*error);
  if (const auto error = check_method_header(headers, request.method)) return refused(*error);
  if (!dispatcher.knows(request.method, kModern)) {
    return dispatcher.unknown_method(request, kModern);
  }
  if (std::holds_alternative<std::nullptr_t>(request.id.value)) {
    return refused(rpc_error(error_code::kInvalidRequest, "id must be a string or an integer"));
  }
  const char* named = name_of(request.method);
  if (named == nullptr) return std::nullopt;
  const auto name = request.params.find(named);
  if (name == request.params.end() || !name->is_string()) return std::nullopt;  // -32602, later
  const auto error = check_name_header(headers, name->get_ref<const std::string&>());
  return error ? std::optional<Reply>(refused(*error)) : std::nullopt;
}

// Turns the answer of a request without a session into an event stream with the first notification.
class StreamSink final : public NoticeSink {
 public:
  explicit StreamSink(Exchange exchange) : exchange_(std::move(exchange)) {}

  base::awaitable<bool> send(std::string text) override {
    open();
    rpc::Event event{std::move(text)};
    co_return co_await exchange_->send_event(std::move(event));
  }

  void open() {
    if (std::exchange(open_, true)) return;
    // Or a proxy may keep the events until the end.
    rpc::HeaderList headers{{"X-Accel-Buffering", "no"}};
    exchange_->start_stream(std::move(headers));
  }

  bool is_open() const { return open_; }

 private:
  Exchange exchange_;
  bool open_ = false;
};

void stop_when_gone(const Exchange& exchange, const std::shared_ptr<RunningCall>& running) {
  exchange->on_gone([weak = std::weak_ptr<RunningCall>(running)] {
    if (const auto held = weak.lock()) held->stop(StopCause::ByCaller);
  });
  if (exchange->gone()) running->stop(StopCause::ByCaller);
}

}  // namespace

HttpDoor::HttpDoor(Dispatcher& dispatcher)
    : dispatcher_(dispatcher),
      replays_(dispatcher.options().replay),
      sessions_(dispatcher.options().max_sessions, dispatcher.options().session_idle) {}

rpc::HttpRest HttpDoor::handle(Exchange exchange, View view) {
  if (view.caller.empty()) view.caller = exchange->caller();
  if (exchange->method() == "POST") return post(std::move(exchange), std::move(view));
  if (exchange->method() == "DELETE" && !modern_header(exchange)) {
    end_session(exchange, view);
  } else if (exchange->method() == "GET" && !modern_header(exchange) &&
             (dispatcher_.tells() || header(exchange, kLastEvent))) {
    return open_stream(std::move(exchange), view);
  } else {
    // GET opens a stream for what the server says unasked, where it ever says something.
    const bool streams = dispatcher_.tells();
    const auto error =
        rpc_error(error_code::kInvalidRequest,
                  streams ? "the MCP endpoint takes POST, and GET and DELETE with a session"
                          : "the MCP endpoint takes POST, and DELETE to end a session");
    exchange->respond(405, kJson, rpc::encode_error(rpc::RequestId{}, error),
                      {{"Allow", streams ? "POST, GET, DELETE" : "POST, DELETE"}});
  }
  return std::nullopt;
}

// A session has one stream: a new one takes the place of the old. Any stream of it that broke goes
// on here, when the client says what it had last.
rpc::HttpRest HttpDoor::open_stream(Exchange exchange, const View& view) {
  if (!accepts_stream(exchange->header("Accept"))) {
    refuse(exchange, 406, "Accept must list text/event-stream");
    return std::nullopt;
  }
  auto session = session_of(exchange, view, rpc::RequestId{});
  if (!session) return std::nullopt;
  if (const auto last = header(exchange, kLastEvent); last && !last->empty()) {
    auto place = session->replay ? session->replay->find(*last) : Replay::Place{};
    if (place.stream) return resume(std::move(session), std::move(place), std::move(exchange));
    // What the session's stream told is a hint to look; of a call's, the answer is missing.
    if (!EventStream::is_of_session(*last) || !dispatcher_.tells()) {
      refuse(exchange, 400,
             "Last-Event-ID names no event of this session that is still kept; ask again");
      return std::nullopt;
    }
  }
  if (const auto old = session->stream.lock()) old->stop(StopCause::ByCaller);
  auto running = std::make_shared<RunningCall>(dispatcher_.calls(), nullptr, rpc::RequestId{});
  session->stream = running;
  auto stream = stream_of(*session, std::move(exchange), EventStream::Of::Session);
  stream->when_left(dispatcher_.executor(), dispatcher_.options().replay.age,
                    [weak = std::weak_ptr<RunningCall>(running)] {
                      if (const auto held = weak.lock()) held->stop(StopCause::ByCaller);
                    });
  stream->open();
  return tell(std::move(session), std::move(stream), view, std::move(running));
}

base::awaitable<void> HttpDoor::tell(std::shared_ptr<Session> session,
                                     std::shared_ptr<EventStream> stream, View view,
                                     std::shared_ptr<RunningCall> running) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await dispatcher_.tell_session(std::move(running), session, view, *stream);
  std::string nothing;
  co_await stream->end(std::move(nothing));
}

base::awaitable<void> HttpDoor::resume([[maybe_unused]] std::shared_ptr<Session> session,
                                       Replay::Place place, Exchange exchange) {
  co_await place.stream->resume(std::move(exchange), place.number);
}

std::shared_ptr<EventStream> HttpDoor::stream_of(Session& session, Exchange exchange,
                                                 EventStream::Of what) {
  if (!session.replay) session.replay = std::make_shared<Replay>(replays_);
  const base::Millis retry =
      has_polling(session.revision) ? dispatcher_.options().stream_retry : base::Millis(0);
  return std::make_shared<EventStream>(session.replay, std::move(exchange), what, retry);
}

rpc::HttpRest HttpDoor::post(Exchange exchange, View view) {
  if (!is_json(exchange->header("Content-Type"))) {
    refuse(exchange, 415, "Content-Type must be application/json");
    return std::nullopt;
  }
  if (!accepts_both(exchange->header("Accept"))) {
    refuse(exchange, 406, "Accept must list both application/json and text/event-stream");
    return std::nullopt;
  }
  std::string body = exchange->take_body();
  if (is_for_elsewhere(dispatcher_, body.size())) {
    return post_long(std::move(exchange), std::move(view), std::move(body));
  }
  return take(std::move(exchange), std::move(view), rpc::decode(body, {}, kMeta));
}

base::awaitable<void> HttpDoor::post_long(Exchange exchange, View view, std::string body) {
  std::function<rpc::Decoded()> decode = [body = std::move(body)] {
    return rpc::decode(body, {}, kMeta);
  };
  auto decoded = co_await elsewhere(dispatcher_, std::move(decode));
  if (!decoded) co_return;  // the door closes, and its connections with it
  auto rest = take(std::move(exchange), std::move(view), std::move(*decoded));
  if (rest) co_await std::move(*rest);
}

rpc::HttpRest HttpDoor::take(Exchange exchange, View view, rpc::Decoded decoded) {
  if (decoded.batch) {
    return legacy_batch(std::move(exchange), std::move(view), std::move(decoded.messages));
  }
  rpc::Message message = std::move(decoded.messages.front());
  if (const auto* malformed = std::get_if<rpc::Malformed>(&message)) {
    refuse(exchange, 400, malformed->id, malformed->error);
  } else if (const auto* notification = std::get_if<rpc::Notification>(&message)) {
    notified(exchange, view, *notification);
  } else if (const auto* response = std::get_if<rpc::Response>(&message)) {
    answered(exchange, view, *response);
  } else {
    auto& request = std::get<rpc::Request>(message);
    const bool is_modern_request = claimed_version(request.metadata) != nullptr ||
                                   request.method == "server/discover" || modern_header(exchange);
    return is_modern_request ? modern(std::move(exchange), std::move(view), std::move(request))
                             : legacy(std::move(exchange), std::move(view), std::move(request));
  }
  return std::nullopt;
}

rpc::HttpRest HttpDoor::modern(Exchange exchange, View view, rpc::Request request) {
  if (auto refused = check_modern(headers_of(exchange), request, dispatcher_)) {
    respond(exchange, std::move(*refused));
    return std::nullopt;
  }
  if (auto refused = check_params(exchange, request, view, dispatcher_)) {
    respond(exchange, std::move(*refused));
    return std::nullopt;
  }
  auto taken = dispatcher_.accept(std::move(request), kModern, view, nullptr);
  if (auto* reply = std::get_if<Reply>(&taken)) {
    respond(exchange, std::move(*reply));
    return std::nullopt;
  }
  auto& call = std::get<PreparedCall>(taken);
  auto running = std::make_shared<RunningCall>(dispatcher_.calls(), nullptr, call.id);
  stop_when_gone(exchange, running);
  return run(std::move(exchange), std::move(view), std::move(call), std::move(running));
}

rpc::HttpRest HttpDoor::legacy(Exchange exchange, View view, rpc::Request request) {
  if (request.method == "initialize") {
    initialize(exchange, view, request);
    return std::nullopt;
  }
  auto session = session_of(exchange, view, request.id);
  if (!session) return std::nullopt;
  if (session->calls.contains(request.id)) {
    respond(exchange, duplicate_id(request.id, session->revision));
    return std::nullopt;
  }
  auto taken = dispatcher_.accept(std::move(request), session->revision, view, session);
  if (auto* reply = std::get_if<Reply>(&taken)) {
    respond(exchange, std::move(*reply));
    return std::nullopt;
  }
  auto& call = std::get<PreparedCall>(taken);
  if (session->calls.size() >= dispatcher_.options().max_in_flight_per_connection) {
    respond(exchange, dispatcher_.overloaded(call, session->calls.size()));
    return std::nullopt;
  }
  auto running = std::make_shared<RunningCall>(dispatcher_.calls(), &session->calls, call.id);
  return run_in_session(std::move(session), std::move(exchange), std::move(view), std::move(call),
                        std::move(running));
}

base::awaitable<void> HttpDoor::run(Exchange exchange, View view, PreparedCall call,
                                    std::shared_ptr<RunningCall> running) {
  StreamSink sink(exchange);
  auto reply = co_await dispatcher_.reply_to(std::move(running), std::move(call), view, &sink);
  if (reply && !sink.is_open()) {
    respond(exchange, std::move(*reply));
    co_return;
  }
  // A cancelled call has no reply, but its exchange must end: with a stream that says nothing.
  sink.open();
  if (reply) {
    rpc::Event event{std::move(reply->text)};
    co_await exchange->send_event(std::move(event));
  }
  exchange->end_stream();
}

// The session holds the table that the call is in.
base::awaitable<void> HttpDoor::run_in_session(std::shared_ptr<Session> session, Exchange exchange,
                                               View view, PreparedCall call,
                                               std::shared_ptr<RunningCall> running) {
  const auto stream = stream_of(*session, exchange, EventStream::Of::Call);
  stream->be_patient(dispatcher_.executor(), dispatcher_.options().stream_after,
                     dispatcher_.options().stream_hold);
  auto reply =
      co_await dispatcher_.reply_to(std::move(running), std::move(call), view, stream.get());
  if (reply && stream->forgo()) {
    respond(exchange, std::move(*reply));
    co_return;
  }
  exchange.reset();
  std::string last;
  if (reply) last = std::move(reply->text);
  co_await stream->end(std::move(last));
}

void HttpDoor::initialize(const Exchange& exchange, const View& view, const rpc::Request& request) {
  const auto requested = requested_version(request.params);
  if (!requested) {
    respond(exchange, refusal(request.id, requested.error(), kNewestLegacy));
    return;
  }
  const auto session = sessions_.open(view.caller, negotiate(*requested), base::mono_now());
  session->introduce(request.params);
  exchange->respond(
      200, kJson,
      rpc::encode_result(request.id, dispatcher_.results().initialize(session->revision)),
      {{std::string(kSessionHeader), session->id}});
}

std::shared_ptr<Session> HttpDoor::session_of(const Exchange& exchange, const View& view,
                                              const rpc::RequestId& id) {
  // Any served legacy revision is taken: some clients send another one than was agreed on.
  const auto version = header(exchange, "MCP-Protocol-Version");
  if (version && !parse_revision(*version)) {
    refuse(exchange, 400, id, unsupported_version(*version));
    return nullptr;
  }
  const auto session_id = header(exchange, kSessionHeader);
  if (!session_id) {
    refuse(exchange, 400, id,
           rpc_error(error_code::kInvalidRequest,
                     "the Mcp-Session-Id header is missing: send initialize first, or the metadata "
                     "of 2026-07-28 with every request; scripts may use POST /tools/call"));
    return nullptr;
  }
  auto session = sessions_.find(*session_id, view.caller, base::mono_now());
  if (!session) {
    refuse(exchange, 404, id,
           rpc_error(error_code::kInvalidRequest, "no such session; send initialize again"));
  }
  return session;
}

void HttpDoor::end_session(const Exchange& exchange, const View& view) {
  const auto session = session_of(exchange, view, rpc::RequestId{});
  if (!session) return;
  sessions_.close(session->id, view.caller, base::mono_now());
  exchange->respond(204, {}, {});
}

void HttpDoor::notified(const Exchange& exchange, const View& view,
                        const rpc::Notification& notification) {
  // The modern era has no notification that means anything here.
  if (claimed_version(notification.metadata) == nullptr && !modern_header(exchange)) {
    const auto session = session_of(exchange, view, rpc::RequestId{});
    if (!session) return;
    take_notification(notification, session->calls);
  }
  accepted(exchange);
}

void HttpDoor::answered(const Exchange& exchange, const View& view, const rpc::Response& response) {
  if (modern_header(exchange)) {
    refuse(exchange, 400, "a client sends no responses in this revision");
  } else if (const auto session = session_of(exchange, view, rpc::RequestId{})) {
    // An answer that nobody waits for (any more) is no mistake of the client's.
    session->take_answer(response);
    accepted(exchange);
  }
}

base::awaitable<void> HttpDoor::legacy_batch(Exchange exchange, View view,
                                             std::vector<rpc::Message> messages) {
  const auto* malformed = std::get_if<rpc::Malformed>(&messages.front());
  if (messages.size() == 1 && malformed != nullptr) {
    refuse(exchange, 400, malformed->id, malformed->error);
    co_return;
  }
  if (modern_header(exchange)) {
    refuse(exchange, 400, "batches are part of revision 2025-03-26 only");
    co_return;
  }
  const auto session = session_of(exchange, view, rpc::RequestId{});
  if (!session) co_return;
  if (!has_batches(session->revision)) {
    refuse(exchange, 400, "batches are part of revision 2025-03-26 only");
    co_return;
  }
  std::string replies =
      co_await run_batch(dispatcher_, session->calls, session, view, std::move(messages));
  if (replies.empty()) {
    accepted(exchange);
  } else {
    exchange->respond(200, kJson, std::move(replies));
  }
}

}  // namespace mahavishnu::mcp
