#include "tool_server.h"

#include <doctest/doctest.h>

#include <stdexcept>

#include "net/memory_connection.h"

namespace mahavishnu::mcp_test {
namespace {

using mcp::Call;
using mcp::Effect;
using mcp::ToolResult;

base::awaitable<ToolResult> echo(Json arguments, Call&) {
  Json out{{"text", arguments["text"]}};
  if (arguments.contains("times")) out["times"] = arguments["times"];
  co_return out.dump();
}

// Waits `steps` times (default 1), so that a cancel can come at each.
base::awaitable<ToolResult> wait(Gate* gate, Json arguments, Call& call) {
  const int steps = arguments.value("steps", 1);
  const bool tells = arguments.value("tells", false);
  if (tells) call.progress(1, 3, "");
  for (int step = 0; step < steps; ++step) {
    const bool is_through = co_await wait_at(gate);
    if (!is_through) co_return base::fail(base::ErrorCode::Cancelled, "cancelled");
  }
  ++gate->through;
  for (double progress = 2; tells && progress <= 3; ++progress) {
    call.progress(progress, 3, "");
    co_await asio::post(co_await asio::this_coro::executor, base::use_awaitable);
  }
  if (arguments.value("lines", false)) co_return std::string("{\n\"waited\":\ntrue}");
  co_return std::string(R"({"waited":true})");
}

base::awaitable<ToolResult> fail(Json arguments, Call&) {
  const auto code = static_cast<base::ErrorCode>(arguments.value("code", 1));
  co_return base::fail(code, "pool \"gpu\" is full (64 queued)", arguments.value("retry_ms", 0));
}

base::awaitable<ToolResult> crash(Json, Call&) {
  throw std::runtime_error("the secret of the inside");
  co_return std::string("{}");
}

base::awaitable<ToolResult> report(Json arguments, Call& call) {
  for (const Json& value : arguments["values"]) {
    call.progress(value.get<double>(), arguments.value("total", 0.0),
                  arguments.value("message", ""));
    if (arguments.value("pause", false)) {
      co_await asio::post(co_await asio::this_coro::executor, base::use_awaitable);
    }
  }
  Json out{{"wanted", call.wants_progress()},
           {"caller", call.caller()},
           {"directory", call.working_directory()}};
  if (call.environment()) out["environment"] = *call.environment();
  co_return out.dump();
}

// Of echo: "kept" is at hand with another text than its handler would give, "broken" throws.
const mcp::KeptAnswer* echo_at_hand(const Json& arguments) {
  static const mcp::KeptAnswer kept("{\n\"text\":\"kept\",\"quoted\":\"\\\"\"}");
  if (arguments["text"] == "broken") throw std::runtime_error("the secret of the cache");
  return arguments["text"] == "kept" ? &kept : nullptr;
}

mcp::Tool tool(std::string name, Effect effect, std::string input, mcp::ToolHandler handler) {
  mcp::Tool made;
  made.name = name;
  made.title = "Title of " + name;
  made.description = "What " + name + " is for";
  made.effect = effect;
  made.input_schema = std::move(input);
  made.output_schema = R"({"type":"object"})";
  made.handler = std::move(handler);
  return made;
}

}  // namespace

base::awaitable<bool> wait_at(Gate* gate) {
  ++gate->waiting;
  bool is_cancelled = false;
  while (!gate->is_open && !is_cancelled) {
    co_await gate->opened.async_wait(base::as_result);
    const auto state = co_await asio::this_coro::cancellation_state;
    is_cancelled = state.cancelled() != asio::cancellation_type::none;
  }
  --gate->waiting;
  gate->cancelled += is_cancelled;
  co_return !is_cancelled;
}

std::vector<mcp::Tool> test_tools(Gate& gate) {
  std::vector<mcp::Tool> tools;
  tools.push_back(tool("echo", Effect::ReadOnly, R"({"type":"object",
      "properties":{"text":{"type":"string"},"times":{"type":"integer","minimum":1,"maximum":5}},
      "required":["text"],"additionalProperties":false})",
                       echo));
  tools.back().at_hand = echo_at_hand;
  tools.push_back(tool(
      "wait", Effect::ReadOnly, R"({"type":"object"})",
      [&gate](Json arguments, Call& call) { return wait(&gate, std::move(arguments), call); }));
  tools.push_back(tool("fail", Effect::Idempotent, R"({"type":"object"})", fail));
  tools.push_back(tool("crash", Effect::Additive, R"({"type":"object"})", crash));
  tools.push_back(
      tool("report", Effect::ReadOnly, R"({"type":"object","required":["values"]})", report));
  tools.push_back(tool("erase", Effect::Destructive, R"({"type":"object"})", echo));
  return tools;
}

mcp::ServerOptions ToolServer::defaults() {
  mcp::ServerOptions options;
  options.version = "1.2.3";
  options.instructions = "Call echo first.";
  options.max_in_flight_per_connection = 4;
  return options;
}

ToolServer::ToolServer(mcp::ServerOptions options, bool with_offer)
    : group(io.get_executor(), "test") {
  mcp::Observer observer;
  observer.call = [this](std::string_view name, std::chrono::microseconds, bool ok) {
    calls.push_back({std::string(name), ok});
  };
  observer.stage = [this](mcp::Stage stage, std::chrono::microseconds) { stages.push_back(stage); };
  std::vector<mcp::Tool> tools = test_tools(gate);
  if (with_offer) {
    for (mcp::Tool& tool : feature_tools()) tools.push_back(std::move(tool));
  }
  auto made =
      mcp::Server::create(io.get_executor(), std::move(options), std::move(tools),
                          std::move(observer), with_offer ? test_offer(gate) : mcp::Offer{});
  REQUIRE(made);
  server = std::move(*made);
}

ToolServer::~ToolServer() {
  stop();
  settle();
}

void ToolServer::settle() {
  io.restart();
  io.poll();
}

void ToolServer::stop() {
  bool stopped = false;
  struct Stop {
    static base::awaitable<void> run(mcp::Server* server, bool* done) {
      co_await server->stop();
      *done = true;
    }
  };
  group.spawn(Stop::run(server.get(), &stopped));
  settle();
  CHECK(stopped);
}

std::shared_ptr<support::MemoryExchange> ToolServer::http(std::string method, std::string path,
                                                          rpc::HeaderList headers, std::string body,
                                                          mcp::View view) {
  auto exchange = std::make_shared<support::MemoryExchange>(std::move(method), path,
                                                            std::move(headers), std::move(body));
  group.start([&] {
    if (path == "/mcp") return server->handle_mcp(exchange, std::move(view));
    if (path == "/sse") return server->handle_sse(exchange, std::move(view));
    if (path.starts_with("/messages")) return server->handle_messages(exchange, std::move(view));
    return server->handle_tools_call(exchange, std::move(view));
  });
  settle();
  return exchange;
}

// The server's half, which also hears what a transport says of itself: the end of input while the
// way back stays open, and a message over the limit.
class Client::FarHalf final : public rpc::Connection {
 public:
  explicit FarHalf(std::unique_ptr<rpc::Connection> inner) : inner_(std::move(inner)) {}

  base::awaitable<base::Result<std::optional<std::string>>> read() override {
    auto text = co_await inner_->read();
    if (text && *text && **text == kEnd) co_return std::optional<std::string>();
    if (text && *text && **text == kOversize) {
      co_return base::fail(base::ErrorCode::Exhausted, "a message may have 4194304 bytes");
    }
    co_return text;
  }
  base::awaitable<base::Status> write(std::string text) override {
    return inner_->write(std::move(text));
  }
  void close() override { inner_->close(); }
  std::string name() const override { return inner_->name(); }

 private:
  std::unique_ptr<rpc::Connection> inner_;
};

Client::Client(ToolServer& host, mcp::View view)
    : host_(host), serving_(host.io.get_executor(), "test serving") {
  auto [near, far] = net::memory_pair(host.io.get_executor());
  near_ = std::move(near);
  far_ = std::make_unique<FarHalf>(std::move(far));
  serving_.spawn(serve(std::move(view)));
  host_.group.spawn(read());
  host_.settle();
}

Client::~Client() {
  near_->close();
  host_.gate.open();
  host_.settle();
  CHECK(served_);
}

base::awaitable<void> Client::serve(mcp::View view) {
  co_await host_.server->serve(*far_, std::move(view));
  served_ = true;
  far_->close();
}

base::awaitable<void> Client::read() {
  while (true) {
    auto text = co_await near_->read();
    if (!text || !*text) co_return;
    received_.push_back(std::move(**text));
  }
}

base::awaitable<void> Client::write(std::string text) {
  const base::Status written = co_await near_->write(std::move(text));
  CHECK(written.has_value());
}

void Client::cancel_serving() {
  serving_.cancel();
  host_.settle();
}

void Client::send(std::string text) {
  host_.group.spawn(write(std::move(text)));
  host_.settle();
}

void Client::request(Json id, std::string method, Json params) {
  Json message{{"jsonrpc", "2.0"}, {"id", std::move(id)}, {"method", std::move(method)}};
  if (!params.is_null()) message["params"] = std::move(params);
  send_json(message);
}

void Client::notify(std::string method, Json params) {
  Json message{{"jsonrpc", "2.0"}, {"method", std::move(method)}};
  if (!params.is_null()) message["params"] = std::move(params);
  send_json(message);
}

Json Client::initialize(const std::string& version) {
  const Json params{{"protocolVersion", version},
                    {"capabilities", Json::object()},
                    {"clientInfo", {{"name", "test"}, {"version", "1"}}}};
  Json answer = ask("handshake", "initialize", params);
  notify("notifications/initialized");
  return answer["result"];
}

Json Client::ask(Json id, std::string method, Json params) {
  CHECK(quiet());
  request(id, std::move(method), std::move(params));
  Json answer = next();
  CHECK(answer["jsonrpc"] == "2.0");
  CHECK(answer["id"] == id);
  CHECK(quiet());
  return answer;
}

Json Client::call(Json id, std::string tool, Json arguments) {
  const Json params{{"name", std::move(tool)}, {"arguments", std::move(arguments)}};
  return ask(std::move(id), "tools/call", params);
}

Json Client::next() {
  REQUIRE(!received_.empty());
  CHECK(received_.front().find('\n') == std::string::npos);
  Json message = Json::parse(received_.front());
  received_.pop_front();
  return message;
}

Json modern(Json params, const std::string& version) {
  params["_meta"]["io.modelcontextprotocol/protocolVersion"] = version;
  params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = Json::object();
  params["_meta"]["io.modelcontextprotocol/clientInfo"] = {{"name", "test"}, {"version", "1"}};
  return params;
}

}  // namespace mahavishnu::mcp_test
