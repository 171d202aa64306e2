#include "mcp/script_door.h"

#include "mcp/elsewhere.h"
#include "mcp/error_map.h"
#include "mcp/http_headers.h"
#include "mcp/nearest.h"
#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

constexpr std::string_view kJson = "application/json";

void refuse(rpc::HttpExchange& exchange, int status, const base::Error& error,
            std::string challenge = {}) {
  rpc::HeaderList headers = retry_headers(error);
  if (!challenge.empty()) headers.emplace_back("WWW-Authenticate", std::move(challenge));
  exchange.respond(status, kJson, script_error(error), std::move(headers));
}

base::Error invalid(std::string message) {
  return base::Error{base::ErrorCode::InvalidArgument, std::move(message)};
}

// What is wrong with a body that is JSON, or "".
std::string malformed(const rpc::Json& body) {
  constexpr const char* kShape = R"(expected {"name": TOOL, "arguments": {…}})";
  if (!body.is_object()) return kShape;
  for (const auto& member : body.items()) {
    if (member.key() == "name" || member.key() == "arguments") continue;
    return "unknown key " + in_quotes(member.key()) +
           did_you_mean(member.key(), {"name", "arguments"}) + "; " + kShape;
  }
  const auto name = body.find("name");
  if (name == body.end()) return std::string("name is missing; ") + kShape;
  if (!name->is_string()) return "name must be a string";
  const auto arguments = body.find("arguments");
  if (arguments != body.end() && !arguments->is_object()) return "arguments must be an object";
  return "";
}

}  // namespace

rpc::HttpRest ScriptDoor::handle(std::shared_ptr<rpc::HttpExchange> exchange, View view) {
  if (view.caller.empty()) view.caller = exchange->caller();
  if (exchange->method() != "POST") {
    exchange->respond(405, kJson, script_error(invalid("/tools/call takes POST")),
                      {{"Allow", "POST"}});
    return std::nullopt;
  }
  if (!is_json(exchange->header("Content-Type"))) {
    refuse(*exchange, 415, invalid("Content-Type must be application/json"));
    return std::nullopt;
  }
  std::string body = exchange->take_body();
  if (is_for_elsewhere(dispatcher_, body.size())) {
    return handle_long(std::move(exchange), std::move(view), std::move(body));
  }
  return take(std::move(exchange), std::move(view), rpc::parse(body));
}

base::awaitable<void> ScriptDoor::handle_long(std::shared_ptr<rpc::HttpExchange> exchange,
                                              View view, std::string body) {
  std::function<base::Result<rpc::Json>()> parse = [body = std::move(body)] {
    return rpc::parse(body);
  };
  auto parsed = co_await elsewhere(dispatcher_, std::move(parse));
  if (!parsed) co_return;  // the door closes, and its connections with it
  auto rest = take(std::move(exchange), std::move(view), std::move(*parsed));
  if (rest) co_await std::move(*rest);
}

rpc::HttpRest ScriptDoor::take(std::shared_ptr<rpc::HttpExchange> exchange, View view,
                               base::Result<rpc::Json> body) {
  std::string challenge;
  auto call = read(std::move(body), view, challenge);
  if (!call) {
    refuse(*exchange, http_status(call.error().code), call.error(), std::move(challenge));
    return std::nullopt;
  }
  if (const KeptAnswer* answer = dispatcher_.at_hand(*call)) {
    exchange->respond(200, kJson, answer->json());
    return std::nullopt;
  }
  return run(std::move(exchange), std::move(view), std::move(*call));
}

base::awaitable<void> ScriptDoor::run(std::shared_ptr<rpc::HttpExchange> exchange, View view,
                                      PreparedCall call) {
  auto running = std::make_shared<RunningCall>(dispatcher_.calls(), nullptr, rpc::RequestId{});
  exchange->on_gone([weak = std::weak_ptr<RunningCall>(running)] {
    if (const auto held = weak.lock()) held->stop(StopCause::ByCaller);
  });
  if (exchange->gone()) running->stop(StopCause::ByCaller);
  const std::string tool = call.entry->tool.name;
  Outcome outcome = co_await dispatcher_.run(std::move(running), std::move(call), view, nullptr);
  if (auto* result = std::get_if<std::string>(&outcome)) {
    exchange->respond(200, kJson, std::move(*result));
  } else if (const auto* members = std::get_if<Members>(&outcome)) {
    exchange->respond(200, kJson, "{" + members->text + "}");
  } else if (const auto* error = std::get_if<base::Error>(&outcome)) {
    refuse(*exchange, http_status(error->code), *error);
  } else if (std::holds_alternative<Stopped>(outcome)) {
    const base::Error gone{base::ErrorCode::Cancelled, "the call was cancelled"};
    refuse(*exchange, http_status(gone.code), gone);
  } else {
    const base::Error crashed{base::ErrorCode::Internal,
                              "internal error in tool \"" + tool + "\"; the server's log has it"};
    refuse(*exchange, http_status(crashed.code), crashed);
  }
}

base::Result<PreparedCall> ScriptDoor::read(base::Result<rpc::Json> body, const View& view,
                                            std::string& challenge) {
  if (!body) return base::fail(body.error());
  if (std::string wrong = malformed(*body); !wrong.empty()) {
    return base::fail(base::ErrorCode::InvalidArgument, std::move(wrong));
  }
  const auto arguments = body->find("arguments");
  const auto& name = (*body)["name"].get_ref<const std::string&>();
  auto call = dispatcher_.prepare(
      name, arguments == body->end() ? rpc::Json::object() : std::move(*arguments), view);
  if (!call && call.error().code == base::ErrorCode::Denied) {
    challenge = dispatcher_.challenge(name, view);
  }
  return call;
}

}  // namespace mahavishnu::mcp
