#include "app/hello.h"

#include <charconv>

#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

rpc::RequestId own_id(std::string_view method) { return rpc::RequestId{std::string(method)}; }

// The result of a response, or its error.
Result<Json> result_of(std::string_view text) {
  auto message = std::move(rpc::decode(text).messages.front());
  auto* response = std::get_if<rpc::Response>(&message);
  if (response == nullptr) {
    return fail(ErrorCode::Unavailable, "what listens there is no server of this program");
  }
  if (auto* error = std::get_if<rpc::RpcError>(&response->outcome)) {
    const int code = error->data.is_object() ? error->data.value("code", -1) : -1;
    const bool known = code >= 0 && code <= static_cast<int>(ErrorCode::Internal);
    return fail(known ? static_cast<ErrorCode>(code) : ErrorCode::Unavailable, error->message);
  }
  return std::get<Json>(std::move(response->outcome));
}

std::string next_number(std::string_view& version) {
  const auto end = std::min(version.find('.'), version.size());
  std::string number(version.substr(0, end));
  version.remove_prefix(std::min(end + 1, version.size()));
  return number;
}

int number_of(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

}  // namespace

std::string encode_hello(const Hello& hello) {
  Json params = {{"version", hello.version},
                 {"read_only", hello.read_only},
                 {"tools", hello.tools},
                 {"toolsets", hello.toolsets},
                 {"working_directory", hello.working_directory},
                 {"environment", hello.environment},
                 {"make_room", hello.make_room}};
  if (hello.listen) {
    params["listen"] = {{"address", hello.listen->address},
                        {"authenticated", hello.listen->authenticated}};
  }
  return rpc::encode_request(own_id(kHelloMethod), kHelloMethod, params);
}

std::string encode_ending() { return rpc::encode_notification(kEndingMethod, Json()); }

Result<Hello> read_hello(const Json& params) {
  try {
    Hello hello;
    hello.version = params.at("version").get<std::string>();
    hello.read_only = params.value("read_only", false);
    hello.tools = params.value("tools", std::vector<std::string>());
    hello.toolsets = params.value("toolsets", std::vector<std::string>());
    hello.working_directory = params.value("working_directory", "");
    hello.environment = params.value("environment", Environment());
    hello.make_room = params.value("make_room", false);
    if (const auto listen = params.find("listen"); listen != params.end()) {
      hello.listen = ListenWish{listen->at("address").get<std::string>(),
                                listen->value("authenticated", true)};
    }
    return hello;
  } catch (const Json::exception& wrong) {
    return fail(ErrorCode::InvalidArgument, std::string("hello: ") + wrong.what());
  }
}

std::string encode_welcome(const rpc::RequestId& id, const Welcome& welcome) {
  const Json result = {{"version", welcome.version},       {"pid", welcome.pid},
                       {"background", welcome.background}, {"ending", welcome.ending},
                       {"clients", welcome.clients},       {"running", welcome.running},
                       {"queued", welcome.queued},         {"delayed", welcome.delayed},
                       {"settings", welcome.settings},     {"note", welcome.note},
                       {"listening", welcome.listening},   {"new_token", welcome.new_token}};
  return rpc::encode_result(id, rpc::dump(result));
}

std::string encode_refusal(const rpc::RequestId& id, const base::Error& error) {
  return rpc::encode_error(id, {rpc::error_code::kInternalError, error.message,
                                Json{{"code", static_cast<int>(error.code)}}});
}

Result<Welcome> read_welcome(std::string_view text) {
  const auto result = result_of(text);
  if (!result) return fail(result.error());
  try {
    Welcome welcome;
    welcome.version = result->at("version").get<std::string>();
    welcome.pid = result->at("pid").get<pid_t>();
    welcome.background = result->value("background", false);
    welcome.ending = result->value("ending", false);
    welcome.clients = result->value("clients", 0);
    welcome.running = result->value("running", 0);
    welcome.queued = result->value("queued", 0);
    welcome.delayed = result->value("delayed", 0);
    welcome.settings = result->value("settings", std::map<std::string, std::string>());
    welcome.note = result->value("note", "");
    welcome.listening = result->value("listening", "");
    if (!welcome.listening.empty() && welcome.listening.find("://") == std::string::npos) {
      welcome.listening.insert(0, "http://");  // a server before TLS
    }
    welcome.new_token = result->value("new_token", "");
    return welcome;
  } catch (const Json::exception& wrong) {
    return fail(ErrorCode::Unavailable, std::string("the server's welcome: ") + wrong.what());
  }
}

bool is_older(std::string_view a, std::string_view b) {
  while (!a.empty() || !b.empty()) {
    const int left = number_of(next_number(a));
    const int right = number_of(next_number(b));
    if (left != right) return left < right;
  }
  return false;
}

}  // namespace mahavishnu::app
