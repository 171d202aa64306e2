#include "app/doors.h"

#include <algorithm>
#include <array>

#include "app/jwt.h"
#include "app/metrics_text.h"
#include "app/oauth_options.h"
#include "app/url_view.h"
#include "base/log.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;
using rpc::Json;

constexpr const char* kJson = "application/json";
constexpr const char* kNoToken = "this token is not known, has expired or was revoked";
constexpr int kLastTurns = 1000;
constexpr std::size_t kMetricsConnections = 64;
constexpr base::Millis kMetricsWindow{300000};
constexpr std::string_view kScripts = "/tools/call";
constexpr std::array<std::string_view, 5> kCounted{"http /tools/call", "http /messages",
                                                   "http /metrics", "http /livez", "http /readyz"};

// What an answer is counted under: few names, whatever is asked for.
std::string_view counted_as(std::string_view path) {
  constexpr std::string_view kWord = "http ";
  if (is_mcp_path(path)) return "http /mcp";
  if (is_sse_path(path)) return "http /sse";
  for (const std::string_view name : kCounted) {
    if (name.substr(kWord.size()) == path) return name;
  }
  return "http other";
}

void refuse(rpc::HttpExchange& exchange, const std::string& message) {
  const Json answer = {{"error", {{"code", "NotFound"}, {"message", message}}}};
  exchange.respond(404, kJson, rpc::dump(answer));
}

net::HttpOptions http_options(const Config& config) {
  net::HttpOptions options;
  options.limits.max_body_bytes = static_cast<std::size_t>(config.number("http.max_body_bytes"));
  // One of the longest always fits.
  options.limits.max_total_body_bytes =
      std::max(options.limits.max_body_bytes,
               static_cast<std::size_t>(config.number("http.max_total_body_bytes")));
  options.limits.max_connections = static_cast<std::size_t>(config.number("http.max_connections"));
  options.limits.header_time = config.duration("http.header_ms");
  options.limits.body_time = config.duration("http.body_ms");
  options.limits.idle_time = config.duration("http.idle_ms");
  options.open_paths = {"/livez", "/readyz"};
  options.allowed_hosts = config.list("http.allowed_hosts");
  options.allowed_origins = config.list("http.allowed_origins");
  return options;
}

// Its token was good when its head came, and is not any more.
void refuse_former(rpc::HttpExchange& exchange, const std::string& challenge) {
  const Json answer = {{"error", {{"code", "Unauthenticated"}, {"message", kNoToken}}}};
  exchange.respond(401, kJson, rpc::dump(answer),
                   {{"WWW-Authenticate", "Bearer error=\"invalid_token\"" +
                                             (challenge.empty() ? "" : ", " + challenge)}});
}

}  // namespace

Doors::Doors(asio::any_io_executor control, Engine& engine, const Setup& setup, bool background,
             Recording* recording, std::function<void()> make_room)
    : control_(control),
      engine_(engine),
      setup_(setup),
      recording_(recording),
      local_(control, engine, setup, local_options(background, std::move(make_room))),
      group_(control, "doors") {}

Doors::~Doors() = default;

LocalDoor::Options Doors::local_options(bool background, std::function<void()> make_room) {
  LocalDoor::Options options;
  options.background = background;
  options.make_room = std::move(make_room);
  options.lend_http = [this](const Hello& hello) { return lend_http(hello); };
  options.return_http = [this] { return_http(); };
  options.listening = [this] { return listening(); };
  options.recording = recording_;
  return options;
}

Result<Address> Doors::open_http(HttpDoor door) {
  Address address = door.address;
  door_ = std::move(door);
  net::HttpOptions options = http_options(setup_.config);
  auto tls = TlsDoor::open(control_, setup_.config);
  if (!tls) return fail(tls.error());
  tls_ = std::move(*tls);
  if (tls_) options.tls = &tls_->terminator();
  if (door_->token) {
    token_.emplace(*door_->token);
    options.authenticate = [this](std::string_view given) { return who(given); };
  }
  if (const auto* oauth = engine_.oauth()) {
    if (!door_->token) {
      return fail(
          ErrorCode::InvalidArgument,
          "http.oauth.issuer is set, and --no-auth lets everybody in; leave one of them out");
    }
    engine_.issuer()->start();
    challenge_ = challenge_parameters(*oauth);
    options.challenge = challenge_;
    options.open_paths.emplace_back(kResourceMetadata);
    options.open_paths.push_back(std::string(kResourceMetadata) + "/");
  }
  if (setup_.config.number("limits.requests_per_s") > 0) {
    options.pace = [this](std::string_view caller) { return engine_.access().pace(caller); };
  }
  options.turned_away = [this](std::string_view caller, int status) {
    engine_.turned_away(caller, status);
  };
  if (setup_.config.text("metrics.calls") == "on") {
    options.observe = [this](std::string_view path, int status, std::chrono::microseconds took) {
      engine_.service().clocked(counted_as(path), took, status < 500);
    };
  }
  http_ = std::make_unique<net::HttpServer>(
      control_, std::move(options),
      [this](std::shared_ptr<rpc::HttpExchange> exchange) { return route(std::move(exchange)); });
  auto port = http_->listen(address.host, address.port);
  if (!port) {
    group_.spawn(close_http(std::move(http_), std::move(tls_)));
    return fail(port.error());
  }
  address.port = *port;
  listens_ = address;
  return address;
}

Result<std::string> Doors::who(std::string_view token) {
  if (token_->matches(token)) return "token";
  if (engine_.issuer() != nullptr && is_jwt(token)) return engine_.issuer()->who(token);
  if (auto name = engine_.access().who(token)) return std::move(*name);
  return fail(ErrorCode::Unauthenticated, kNoToken);
}

void Doors::answer_resource_metadata(rpc::HttpExchange& exchange) const {
  if (exchange.method() == "GET") {
    return exchange.respond(200, kJson, resource_metadata(*engine_.oauth()));
  }
  const Json answer = {{"error", {{"code", "InvalidArgument"}, {"message", "it takes GET"}}}};
  exchange.respond(405, kJson, rpc::dump(answer), {{"Allow", "GET, HEAD"}});
}

Result<Address> Doors::open_metrics(Address address) {
  if (!address.is_loopback()) {
    return fail(ErrorCode::InvalidArgument,
                "metrics.listen: " + address.str() +
                    " is no loopback address, and what is served there needs no token; listen on "
                    "127.0.0.1, or ask http.listen for /metrics with the token");
  }
  net::HttpOptions options;
  options.limits.max_body_bytes = 0;  // nothing is sent to it
  options.limits.max_connections = kMetricsConnections;
  metrics_ = std::make_unique<net::HttpServer>(
      control_, std::move(options), [this](std::shared_ptr<rpc::HttpExchange> exchange) {
        if (!route_operations(*exchange)) {
          refuse(*exchange, "here are /metrics, /livez and /readyz");
        }
        return rpc::HttpRest();
      });
  auto port = metrics_->listen(address.host, address.port);
  if (!port) return fail(port.error().code, "metrics.listen: " + port.error().message);
  address.port = *port;
  return address;
}

// One HTTP door serves all who want the same one.
Result<std::string> Doors::lend_http(const Hello& hello) {
  auto wanted = parse_address(hello.listen->address);
  if (!wanted) return fail(wanted.error());
  if (listens_) {
    const bool same_place =
        wanted->host == listens_->host && (wanted->port == 0 || wanted->port == listens_->port);
    const bool same_terms = hello.listen->authenticated == door_->token.has_value() &&
                            hello.read_only == door_->view.read_only &&
                            hello.tools == door_->view.tools &&
                            hello.toolsets == door_->view.toolsets;
    if (!same_place || !same_terms) {
      return fail(ErrorCode::Conflict, "the server already listens on " + listening() +
                                           (same_place ? ", with other tools or rules" : "") +
                                           "; it has one HTTP door");
    }
    if (borrowers_ > 0) ++borrowers_;
    return std::string();
  }
  HttpDoor door{*wanted, std::nullopt, {}};
  door.view.read_only = hello.read_only;
  door.view.tools = hello.tools;
  door.view.toolsets = hello.toolsets;
  door.view.environment = std::make_shared<const Environment>(hello.environment);
  std::string new_token;
  if (hello.listen->authenticated) {
    auto token = load_or_make_token(engine_.directory().token_file());
    if (!token) return fail(token.error());
    door.token = token->text;
    if (token->is_new) new_token = token->text;
  }
  auto opened = open_http(std::move(door));
  if (!opened) return fail(opened.error());
  borrowers_ = 1;
  return new_token;
}

void Doors::return_http() {
  if (borrowers_ == 0 || --borrowers_ > 0) return;
  listens_.reset();
  http_->stop_accepting();
  group_.spawn(close_http(std::move(http_), std::move(tls_)));
}

// It owns the server until its last connection has ended.
awaitable<void> Doors::close_http(std::unique_ptr<net::HttpServer> server,
                                  std::unique_ptr<TlsDoor> tls) {
  co_await server->stop();
  if (tls) co_await tls->stop();
}

std::string Doors::listening() const {
  return listens_ ? http_scheme(setup_.config) + "://" + listens_->str() : std::string();
}

void Doors::stop_accepting() {
  for (auto* server : {http_.get(), metrics_.get()}) {
    if (server != nullptr) server->stop_accepting();
  }
  local_.stop_accepting();
}

awaitable<void> Doors::stop() {
  stop_accepting();
  // Calls that were ended have their answers; they leave with the next turns of the executor.
  for (int turn = 0; http_ && http_->stats().pending > 0 && turn < kLastTurns; ++turn) {
    co_await asio::post(base::use_awaitable);
  }
  co_await local_.stop();
  if (http_) co_await http_->stop();
  if (tls_) co_await tls_->stop();
  if (metrics_) co_await metrics_->stop();
  co_await group_.join();
}

std::string Doors::readiness() const {
  const std::string reason = engine_.not_ready();
  const auto& repositories = engine_.repositories();
  Json answer = {
      {"ready", reason.empty()},
      {"version", MAHAVISHNU_VERSION},
      {"repositories", {{"count", repositories.repositories}, {"file", repositories.file}}}};
  if (!reason.empty()) answer["reason"] = reason;
  if (!repositories.problem.empty()) answer["repositories"]["problem"] = repositories.problem;
  if (!engine_.tokens().problem.empty()) answer["tokens"]["problem"] = engine_.tokens().problem;
  if (tls_) {
    answer["tls"] = {{"expires", base::to_rfc3339(tls_->status().expires)}};
    if (!tls_->status().problem.empty()) answer["tls"]["problem"] = tls_->status().problem;
  }
  if (const auto* issuer = engine_.issuer()) {
    answer["oauth"] = {{"keys", issuer->status().keys}};
    if (!issuer->status().problem.empty()) answer["oauth"]["problem"] = issuer->status().problem;
  }
  return rpc::dump(answer);
}

rpc::HttpRest Doors::route(std::shared_ptr<rpc::HttpExchange> exchange) {
  const std::string_view path = exchange->path();
  if (path == kScripts || path == mcp::Server::kMessagesPath || is_mcp_path(path) ||
      is_sse_path(path)) {
    return route_mcp(std::move(exchange));
  }
  if (engine_.oauth() != nullptr && is_resource_metadata(path, *engine_.oauth())) {
    answer_resource_metadata(*exchange);
    return std::nullopt;
  }
  if (!route_operations(*exchange)) {
    refuse(*exchange, "there is no " + std::string(path) +
                          "; there are /mcp, /tools/call, /sse, /metrics, /livez, /readyz");
  }
  return std::nullopt;
}

rpc::HttpRest Doors::route_mcp(std::shared_ptr<rpc::HttpExchange> exchange) {
  const bool scripts = exchange->path() == kScripts;
  const bool messages = exchange->path() == mcp::Server::kMessagesPath;
  const bool old_stream = is_sse_path(exchange->path());
  Result<mcp::View> view =
      scripts || messages ? Result<mcp::View>(door_->view) : view_of(exchange->path(), door_->view);
  if (!view) {
    refuse(*exchange, view.error().message);
    return std::nullopt;
  }
  view->caller = std::string(exchange->caller());
  view->permit = engine_.access().permit(view->caller);
  if (!view->permit) {
    refuse_former(*exchange, challenge_);
    return std::nullopt;
  }
  if (old_stream) return engine_.server().handle_sse(std::move(exchange), std::move(*view));
  if (messages) return engine_.server().handle_messages(std::move(exchange), std::move(*view));
  if (recording_ != nullptr) {
    exchange = std::make_shared<RecordedExchange>(std::move(exchange), *recording_);
  }
  return scripts ? engine_.server().handle_tools_call(std::move(exchange), std::move(*view))
                 : engine_.server().handle_mcp(std::move(exchange), std::move(*view));
}

bool Doors::route_operations(rpc::HttpExchange& exchange) const {
  const std::string_view path = exchange.path();
  if (path == "/metrics") {
    exchange.respond(200, kMetricsType, metrics_text(engine_.service().metrics(kMetricsWindow)));
  } else if (path == "/livez") {
    exchange.respond(200, kJson, R"({"alive":true})");
  } else if (path == "/readyz") {
    exchange.respond(engine_.not_ready().empty() ? 200 : 503, kJson, readiness());
  } else {
    return false;
  }
  return true;
}

}  // namespace mahavishnu::app
