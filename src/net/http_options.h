// What the HTTP door is told: its limits, who may come in, and from where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace mahavishnu::net {

struct HttpLimits {
  std::size_t max_header_bytes = 16384;
  std::size_t max_body_bytes = 4u << 20;
  // Of all requests that have no answer yet; a body beyond it is answered 503 before it is read, a
  // chunked one as soon as it grows beyond it.
  std::uint64_t max_total_body_bytes = 256u << 20;
  std::size_t max_connections = 10000;  // one more is answered 503 and closed
  base::Millis header_time{10000};      // from the first byte of a head to its last
  base::Millis body_time{30000};        // for a whole body
  base::Millis idle_time{300000};       // without a request
  base::Millis write_time{30000};       // without the peer taking a byte of what waits for it
  std::size_t max_requests_per_connection = 0;  // 0: no limit
  base::Millis sweep{500};                      // how exact the times above are
  base::Millis stream_keep_alive{15000};        // a comment on an event stream that is silent
};

class TlsTerminator;

struct HttpOptions {
  HttpLimits limits;
  // Null: plain HTTP. Otherwise every connection goes through it; must outlive the server.
  TlsTerminator* tls = nullptr;
  // Who a bearer token names. Compares in constant time itself. Unauthenticated: refused (401);
  // Denied: good, but for nothing here (403); Unavailable: it cannot be judged now (503,
  // Retry-After). Null function: no authentication ("local").
  std::function<base::Result<std::string>(std::string_view token)> authenticate;
  // What each WWW-Authenticate: Bearer says besides its error: `a="b", c="d"`, or nothing.
  std::string challenge;
  // Asked for every request that came in, but for those of the open paths: 0, or after how long
  // this caller may come again (429, Retry-After). Null function: as often as he likes.
  std::function<base::Millis(std::string_view caller)> pace;
  // Told of every request that is turned away for its credential (401, 403; `caller` is "" then) or
  // its pace (429); may be empty.
  std::function<void(std::string_view caller, int status)> turned_away;
  // Told of every answer of the handler, when it is made; may be empty.
  std::function<void(std::string_view path, int status, std::chrono::microseconds took)> observe;
  // No token needed: /livez, /readyz. One that ends in a slash: nor for what is below it.
  std::vector<std::string> open_paths;
  std::vector<std::string> allowed_hosts;    // beyond loopback names and the bound address
  std::vector<std::string> allowed_origins;  // beyond same-host origins: "https://app.example"
};

}  // namespace mahavishnu::net
