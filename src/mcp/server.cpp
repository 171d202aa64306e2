#include "mcp/server.h"

#include <list>

#include "mcp/connection_door.h"
#include "mcp/dispatcher.h"
#include "mcp/http_door.h"
#include "mcp/script_door.h"
#include "mcp/sse_door.h"

namespace mahavishnu::mcp {

struct Server::State {
  State(asio::any_io_executor executor, const ServerOptions& options, Registry registry,
        Catalog catalog, Observer observer)
      : dispatcher(executor, options, std::move(registry), std::move(catalog), std::move(observer)),
        http(dispatcher),
        sse(dispatcher, [this](rpc::Connection& connection,
                               View view) { return serve(connection, std::move(view)); }),
        script(dispatcher),
        idle(executor) {
    idle.expires_at(asio::steady_timer::time_point::max());
  }

  base::awaitable<void> serve(rpc::Connection& connection, View view);

  Dispatcher dispatcher;
  HttpDoor http;
  SseDoor sse;
  ScriptDoor script;
  std::list<ConnectionDoor*> connections;  // being served
  asio::steady_timer idle;                 // cancelled when the last of them ends
};

Server::Server(std::unique_ptr<State> state) : state_(std::move(state)) {}
Server::~Server() = default;

base::Result<std::unique_ptr<Server>> Server::create(asio::any_io_executor executor,
                                                     ServerOptions options, std::vector<Tool> tools,
                                                     Observer observer, Offer offer) {
  auto registry = Registry::create(std::move(tools));
  if (!registry) return base::fail(registry.error());
  auto catalog = Catalog::create(std::move(offer));
  if (!catalog) return base::fail(catalog.error());
  auto state = std::make_unique<State>(executor, options, std::move(*registry), std::move(*catalog),
                                       std::move(observer));
  return std::unique_ptr<Server>(new Server(std::move(state)));
}

base::awaitable<void> Server::State::serve(rpc::Connection& connection, View view) {
  ConnectionDoor door(dispatcher, connection, std::move(view));
  const auto place = connections.insert(connections.end(), &door);
  co_await door.serve();
  connections.erase(place);
  if (connections.empty()) idle.cancel();
}

base::awaitable<void> Server::serve(rpc::Connection& connection, View view) {
  return state_->serve(connection, std::move(view));
}

void Server::changed(Change change) { state_->dispatcher.subscriptions().changed(change); }

void Server::updated(std::string_view uri) { state_->dispatcher.subscriptions().updated(uri); }

void Server::task_changed(std::string_view subject) {
  state_->dispatcher.subscriptions().task_changed(subject);
}

bool Server::is_watched() const { return state_->dispatcher.subscriptions().size() > 0; }

ReplayFigures Server::replay_figures() const { return state_->http.replay_figures(); }

rpc::HttpRest Server::handle_mcp(std::shared_ptr<rpc::HttpExchange> exchange, View view) {
  return state_->http.handle(std::move(exchange), std::move(view));
}

rpc::HttpRest Server::handle_sse(std::shared_ptr<rpc::HttpExchange> exchange, View view) {
  return state_->sse.open(std::move(exchange), std::move(view));
}

rpc::HttpRest Server::handle_messages(std::shared_ptr<rpc::HttpExchange> exchange, View view) {
  state_->sse.post(*exchange, view);
  return std::nullopt;
}

rpc::HttpRest Server::handle_tools_call(std::shared_ptr<rpc::HttpExchange> exchange, View view) {
  return state_->script.handle(std::move(exchange), std::move(view));
}

void Server::drain() { state_->dispatcher.drain(); }

base::awaitable<void> Server::stop() {
  drain();
  state_->dispatcher.calls().stop_all(StopCause::Stopping);
  co_await state_->dispatcher.calls().join();
  for (ConnectionDoor* door : state_->connections) door->close_when_answered();
  while (!state_->connections.empty()) co_await state_->idle.async_wait(base::as_result);
}

}  // namespace mahavishnu::mcp
