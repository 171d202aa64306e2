// "HOST:PORT" as a value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mahavishnu::app {

struct Address {
  std::string host;  // without the brackets of an IPv6 address
  std::uint16_t port = 0;

  bool is_loopback() const;
  // As in a URL: an IPv6 address in brackets.
  std::string str() const;
};

// The same with an address for a host name; "localhost" stays, it is two. Blocks as long as the name
// service does: not for a thread that serves.
base::Result<Address> resolved(Address address);

// "127.0.0.1:8680", "[::1]:0", "localhost:8680"; a lone ":8680" or "8680" is 127.0.0.1.
base::Result<Address> parse_address(std::string_view text);

}  // namespace mahavishnu::app
