#include "app/address.h"

#include <arpa/inet.h>
#include <netdb.h>

#include <array>

#include <charconv>

namespace mahavishnu::app {

using base::ErrorCode;
using base::fail;
using base::Result;

bool Address::is_loopback() const {
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24U) == 127;
  return host == "localhost" || host == "::1";
}

std::string Address::str() const {
  const bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Address> resolved(Address address) {
  if (address.host == "localhost") return address;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int why = ::getaddrinfo(address.host.c_str(), nullptr, &hints, &found); why != 0) {
    return fail(
        ErrorCode::InvalidArgument,
        "\"" + address.host + "\" is neither an address nor a known host: " + ::gai_strerror(why));
  }
  std::array<char, NI_MAXHOST> text{};
  const int why = ::getnameinfo(found->ai_addr, found->ai_addrlen, text.data(), text.size(),
                                nullptr, 0, NI_NUMERICHOST);
  ::freeaddrinfo(found);
  if (why != 0) return fail(ErrorCode::Internal, address.host + ": " + ::gai_strerror(why));
  address.host = text.data();
  return address;
}

Result<Address> parse_address(std::string_view text) {
  Address address;
  const auto colon = text.rfind(':');
  const std::string_view port = colon == std::string_view::npos ? text : text.substr(colon + 1);
  std::string_view host =
      colon == std::string_view::npos ? std::string_view() : text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool bare_v6 = !bracketed && host.find(':') != std::string_view::npos;
  const bool stray_bracket = host.find_first_of("[]") != std::string_view::npos;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || bare_v6 || stray_bracket) {
    return fail(
        ErrorCode::InvalidArgument,
        "\"" + std::string(text) + "\" is not HOST:PORT, such as 127.0.0.1:8680 or [::1]:8680");
  }
  address.host = host.empty() ? "127.0.0.1" : std::string(host);
  return address;
}

}  // namespace mahavishnu::app
