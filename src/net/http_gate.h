// Who may come in: every check on a request's head, in one place and one order.
//
// Method, Host, Origin, preflight, token, pace, media type, expectation, length of the body. Host and
// Origin are checked separately: the first stops DNS rebinding, the second a foreign web page.
// Pure: it looks at a head and says what to answer; any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_options.h"
#include "net/http_request.h"

namespace mahavishnu::net {

// Where the connection came in.
struct HttpDoor {
  const std::vector<std::string>& hosts;  // addresses and names it was told to listen on
  std::string_view local_address;  // of this connection, when bound to a wildcard; else empty
};

struct Admission {
  std::string caller;
  std::string cors_origin;  // not empty: the answer carries CORS headers for it
};

// `status` 204 is the answer to a preflight, no error. `headers` are whole lines.
struct Refusal {
  int status = 400;
  std::string message;
  std::string headers;
  std::string cors_origin;
};

// Nothing: come in, `admission` says as whom.
std::optional<Refusal> check_request(const HttpRequest& request, const HttpOptions& options,
                                     const HttpDoor& door, Admission& admission);

}  // namespace mahavishnu::net
