#include "app/doors.h"

#include <algorithm>

#include "base/log.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::fail;
using base::Result;
using base::Status;
using rpc::Json;

constexpr const char* kJson = "application/json";
constexpr int kLastTurns = 1000;

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

}  // namespace

Doors::Doors(asio::any_io_executor control, Engine& engine, const Config& config)
    : control_(control), engine_(engine), config_(config), group_(control, "doors") {}

Doors::~Doors() = default;

Status Doors::open_socket() {
  net::StreamLimits limits;
  limits.max_message_bytes = static_cast<std::size_t>(config_.number("rpc.max_message_bytes"));
  auto listener = net::UnixListener::open(control_, engine_.directory().socket(), limits);
  if (!listener) return fail(listener.error());
  listener_ = std::move(*listener);
  group_.spawn(accept());
  return {};
}

Result<Address> Doors::open_http(HttpDoor door) {
  Address address = door.address;
  door_ = std::move(door);
  net::HttpOptions options = http_options(config_);
  if (door_->token) {
    token_.emplace(*door_->token);
    options.authenticate = [this](std::string_view given) -> std::optional<std::string> {
      if (!token_->matches(given)) return std::nullopt;
      return "token";
    };
  }
  http_ = std::make_unique<net::HttpServer>(
      control_, std::move(options),
      [this](std::shared_ptr<rpc::HttpExchange> exchange) { return route(std::move(exchange)); });
  auto port = http_->listen(address.host, address.port);
  if (!port) return fail(port.error());
  address.port = *port;
  return address;
}

void Doors::stop_accepting() {
  if (http_) http_->stop_accepting();
  if (listener_) listener_->close();
}

awaitable<void> Doors::stop() {
  stop_accepting();
  // Calls that were ended have their answers; they leave with the next turns of the executor.
  for (int turn = 0; http_ && http_->stats().pending > 0 && turn < kLastTurns; ++turn) {
    co_await asio::post(base::use_awaitable);
  }
  group_.cancel();
  if (http_) co_await http_->stop();
  co_await group_.join();
}

awaitable<void> Doors::accept() {
  while (true) {
    auto connection = co_await listener_->accept();
    if (!connection) co_return;
    group_.spawn(serve(this, std::move(*connection)));
  }
}

awaitable<void> Doors::serve(Doors* self, std::unique_ptr<rpc::Connection> connection) {
  mcp::View view;
  view.caller = "local";
  co_await self->engine_.server().serve(*connection, std::move(view));
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
  return rpc::dump(answer);
}

rpc::HttpRest Doors::route(std::shared_ptr<rpc::HttpExchange> exchange) {
  const std::string_view path = exchange->path();
  if (path == "/mcp" || path == "/tools/call") {
    mcp::View view = door_->view;
    view.caller = std::string(exchange->caller());
    return path == "/mcp"
               ? engine_.server().handle_mcp(std::move(exchange), std::move(view))
               : engine_.server().handle_tools_call(std::move(exchange), std::move(view));
  }
  if (path == "/livez") {
    exchange->respond(200, kJson, R"({"alive":true})");
  } else if (path == "/readyz") {
    exchange->respond(engine_.not_ready().empty() ? 200 : 503, kJson, readiness());
  } else {
    const Json answer = {{"error",
                          {{"code", "NotFound"},
                           {"message", "there is no " + std::string(path) +
                                           "; there are /mcp, /tools/call, /livez, /readyz"}}}};
    exchange->respond(404, kJson, rpc::dump(answer));
  }
  return std::nullopt;
}

}  // namespace mahavishnu::app
