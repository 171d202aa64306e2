#include "app/http_tools.h"

#include <httplib.h>

#include "rpc/codec.h"

namespace mahavishnu::app {
namespace {

using base::awaitable;
using base::ErrorCode;
using base::fail;
using base::Result;
using rpc::Json;

constexpr std::chrono::seconds kConnectLimit{5};
constexpr std::chrono::seconds kReadLimit{90};  // a call may be held for 45 s

class HttpTools final : public ToolDoor {
 public:
  HttpTools(const std::string& origin, const std::string& token)
      : origin_(origin), client_(origin) {
    client_.set_connection_timeout(kConnectLimit);
    client_.set_read_timeout(kReadLimit);
    client_.set_write_timeout(kReadLimit);
    client_.set_tcp_nodelay(true);  // without it a request on a kept connection costs 44 ms
    client_.set_keep_alive(true);
    if (!token.empty()) client_.set_bearer_token_auth(token);
  }

  awaitable<Result<Json>> call(std::string tool, Json arguments) override {
    const Json body = {{"name", std::move(tool)}, {"arguments", std::move(arguments)}};
    const auto response = client_.Post("/tools/call", rpc::dump(body), "application/json");
    if (!response) {
      co_return fail(ErrorCode::Unavailable,
                     origin_ + " did not answer: " + httplib::to_string(response.error()));
    }
    Json answer = Json::parse(response->body, nullptr, false);
    if (response->status == 200 && !answer.is_discarded()) co_return answer;
    if (answer.is_object() && answer.contains("error") && answer["error"].is_object()) {
      co_return fail(ErrorCode::Internal,
                     answer["error"].value("message", "the call failed without a word"));
    }
    co_return fail(ErrorCode::Unavailable,
                   origin_ + " answered HTTP " + std::to_string(response->status) +
                       (response->status == 401 ? "; give the token with --token" : ""));
  }

 private:
  std::string origin_;
  httplib::Client client_;
};

}  // namespace

Result<std::unique_ptr<ToolDoor>> http_tools(const std::string& url, const std::string& token) {
  const auto scheme = url.find("://");
  const std::string name = url.substr(0, scheme);
  std::string origin = url;
  if (scheme != std::string::npos) {
    // People paste the address of the MCP endpoint; what stands behind the port is not needed.
    origin = url.substr(0, url.find('/', scheme + 3));
  }
  if (scheme == std::string::npos || (name != "http" && name != "https") ||
      origin.size() <= scheme + 3) {
    return fail(ErrorCode::InvalidArgument,
                "\"" + url + "\" is not a URL such as http://127.0.0.1:8680");
  }
  return std::make_unique<HttpTools>(origin, token);
}

}  // namespace mahavishnu::app
