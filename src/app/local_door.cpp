#include "app/local_door.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "domain/repositories.h"
#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

// A connection whose first text was read already.
class Unread final : public rpc::Connection {
 public:
  Unread(rpc::Connection& rest, std::string first) : rest_(rest), first_(std::move(first)) {}

  awaitable<Result<std::optional<std::string>>> read() override {
    if (auto ready = read_ready()) co_return std::move(*ready);
    co_return co_await rest_.read();
  }
  std::optional<Result<std::optional<std::string>>> read_ready() override {
    if (!first_) return rest_.read_ready();
    return Result<std::optional<std::string>>(std::exchange(first_, std::nullopt));
  }
  awaitable<Status> write(std::string text) override { return rest_.write(std::move(text)); }
  bool write_ready(std::string_view text) override { return rest_.write_ready(text); }
  void close() override { rest_.close(); }
  std::string name() const override { return rest_.name(); }

 private:
  rpc::Connection& rest_;
  std::optional<std::string> first_;
};

std::optional<rpc::Request> hello_in(std::string_view line) {
  if (line.find(kHelloMethod) == std::string_view::npos) return std::nullopt;
  auto message = std::move(rpc::decode(line).messages.front());
  auto* request = std::get_if<rpc::Request>(&message);
  if (request == nullptr || request->method != kHelloMethod) return std::nullopt;
  return std::move(*request);
}

}  // namespace

Status check_tools(const Engine& engine, const std::vector<std::string>& tools) {
  const auto& known = engine.tool_names();
  for (const auto& name : tools) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    const std::string near = domain::nearest(name, known);
    return fail(ErrorCode::InvalidArgument,
                "--tools: there is no tool " + name +
                    (near.empty() ? std::string() : "; did you mean " + near + "?"));
  }
  return {};
}

// In the list while it lives.
class LocalDoor::Presence {
 public:
  Presence(std::list<Client>& clients, Client client)
      : clients_(clients), place_(clients.insert(clients.end(), client)) {}
  ~Presence() { clients_.erase(place_); }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

 private:
  std::list<Client>& clients_;
  std::list<Client>::iterator place_;
};

LocalDoor::LocalDoor(asio::any_io_executor control, Engine& engine, const Setup& setup,
                     Options options)
    : control_(control),
      engine_(engine),
      setup_(setup),
      options_(std::move(options)),
      group_(control, "local door") {}

LocalDoor::~LocalDoor() = default;

Status LocalDoor::open() {
  net::StreamLimits limits;
  limits.max_message_bytes =
      static_cast<std::size_t>(setup_.config.number("rpc.max_message_bytes"));
  auto listener = net::UnixListener::open(control_, engine_.directory().socket(), limits);
  if (!listener) return fail(listener.error());
  listener_ = std::move(*listener);
  group_.spawn(accept());
  return {};
}

void LocalDoor::announce_end() {
  ending_ = true;
  const std::string line = encode_ending();
  for (const Client& client : clients_) {
    if (client.said_hello) static_cast<void>(client.connection->write_ready(line));
  }
}

void LocalDoor::stop_accepting() {
  if (listener_) listener_->close();
}

awaitable<void> LocalDoor::stop() {
  stop_accepting();
  group_.cancel();
  co_await group_.join();
}

awaitable<void> LocalDoor::accept() {
  while (true) {
    auto connection = co_await listener_->accept();
    if (!connection) co_return;
    group_.spawn(serve(this, std::move(*connection)));
  }
}

awaitable<void> LocalDoor::serve(LocalDoor* self, ConnectionPtr connection) {
  auto first = co_await connection->read();
  if (first && !*first) co_return;  // a probe: it came and went
  if (first) {
    if (auto request = hello_in(**first)) {
      co_await self->serve_bound(*connection, std::move(*request));
    } else {
      co_await self->serve_plain(*connection, std::move(**first));
    }
  } else if (first.error().code == ErrorCode::Exhausted) {
    std::string refusal = rpc::encode_error(
        rpc::RequestId{}, {rpc::error_code::kInvalidRequest, first.error().message, nullptr});
    static_cast<void>(co_await connection->write(std::move(refusal)));
    co_await self->serve_plain(*connection, "");
  }
}

awaitable<void> LocalDoor::serve_plain(rpc::Connection& connection, std::string first) {
  mcp::View view;
  view.caller = "local";
  Unread whole(connection, std::move(first));
  const Presence presence(clients_, {&connection, false});
  co_await speak(whole, std::move(view));
}

awaitable<void> LocalDoor::speak(rpc::Connection& connection, mcp::View view) {
  view.permit = engine_.access().permit(view.caller);
  if (options_.recording == nullptr) {
    co_return co_await engine_.server().serve(connection, std::move(view));
  }
  const std::string name = options_.recording->next_name("socket");
  options_.recording->opened(name, view);
  RecordedConnection recorded(connection, *options_.recording, name);
  co_await engine_.server().serve(recorded, std::move(view));
}

awaitable<void> LocalDoor::serve_bound(rpc::Connection& connection, rpc::Request request) {
  const auto hello = read_hello(request.params);
  const Result<Welcome> answer = hello ? welcome(*hello) : fail(hello.error());
  std::string line =
      answer ? encode_welcome(request.id, *answer) : encode_refusal(request.id, answer.error());
  if (!answer) {
    static_cast<void>(co_await connection.write(std::move(line)));
    co_return;
  }
  {
    const Presence presence(clients_, {&connection, true});
    const auto written = co_await connection.write(std::move(line));
    if (written) {
      mcp::View view;
      view.caller = "local";
      view.working_directory = hello->working_directory;
      view.environment = std::make_shared<const Environment>(hello->environment);
      view.read_only = hello->read_only;
      view.tools = hello->tools;
      view.toolsets = hello->toolsets;
      co_await speak(connection, std::move(view));
    }
  }
  if (hello->listen && !answer->ending) options_.return_http();
}

// Without a step that waits: what it finds holds when the connection is counted.
Result<Welcome> LocalDoor::welcome(const Hello& hello) {
  if (auto known = check_tools(engine_, hello.tools); !known) return fail(known.error());
  const auto counts = engine_.service().counts();
  Welcome welcome;
  welcome.version = MAHAVISHNU_VERSION;
  welcome.pid = ::getpid();
  welcome.background = options_.background;
  welcome.clients = clients();
  welcome.running = static_cast<int>(counts.running);
  welcome.queued = static_cast<int>(counts.queued);
  welcome.delayed = static_cast<int>(counts.delayed);
  welcome.settings = settings_in_force(setup_);
  welcome.ending = ending_;
  const bool newer = is_older(MAHAVISHNU_VERSION, hello.version);
  if (!ending_ && hello.make_room && newer && options_.background && welcome.idle() &&
      engine_.service().idle()) {
    base::log()->info("making room for a server of version {}", hello.version);
    welcome.ending = true;
    options_.make_room();
  }
  if (welcome.ending) return welcome;  // whoever does not want to stay reads it there
  welcome.note = engine_.serve_around(hello.working_directory);
  if (hello.listen) {
    auto lent = options_.lend_http(hello);
    if (!lent) return fail(lent.error());
    welcome.new_token = std::move(*lent);
  }
  welcome.listening = options_.listening();
  return welcome;
}

}  // namespace mahavishnu::app
