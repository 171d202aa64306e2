#include "net/http_gate.h"

#include <algorithm>
#include <array>

namespace mahavishnu::net {
namespace {

constexpr std::array<std::string_view, 5> kMethods = {"GET", "POST", "HEAD", "DELETE", "OPTIONS"};
constexpr const char* kLocal = "local";
constexpr std::string_view kAllow = "Allow: GET, HEAD, POST, DELETE, OPTIONS\r\n";

struct HostPort {
  std::string_view host;  // with the brackets of an IPv6 address
  std::string_view port;
};

std::optional<HostPort> split_host(std::string_view text) {
  const auto end = text.starts_with('[') ? text.find(']') : text.find(':');
  HostPort split{text, {}};
  if (text.starts_with('[')) {
    if (end == std::string_view::npos) return std::nullopt;
    split = {text.substr(0, end + 1), text.substr(end + 1)};
  } else if (end != std::string_view::npos) {
    split = {text.substr(0, end), text.substr(end)};
  }
  if (!split.port.empty()) {
    if (split.port.front() != ':') return std::nullopt;
    split.port.remove_prefix(1);
    const bool digits = std::all_of(split.port.begin(), split.port.end(),
                                    [](char c) { return c >= '0' && c <= '9'; });
    if (!digits || split.port.size() > 5) return std::nullopt;
  }
  if (split.host.empty()) return std::nullopt;
  return split;
}

bool is_loopback(std::string_view host) {
  return host == "127.0.0.1" || host == "[::1]" || equal_ignoring_case(host, "localhost");
}

// An IPv6 address is bracketed in a Host header and bare elsewhere.
bool same_host(std::string_view host, std::string_view configured) {
  if (equal_ignoring_case(host, configured)) return true;
  return host.starts_with('[') && host.size() > 2 &&
         equal_ignoring_case(host.substr(1, host.size() - 2), configured);
}

bool host_allowed(std::string_view text, const HostPort& host, const HttpOptions& options,
                  const HttpDoor& door) {
  if (is_loopback(host.host) || same_host(host.host, door.local_address)) return true;
  const auto matches = [&](const std::string& known) {
    return same_host(host.host, known) || equal_ignoring_case(text, known);
  };
  return std::any_of(door.hosts.begin(), door.hosts.end(), matches) ||
         std::any_of(options.allowed_hosts.begin(), options.allowed_hosts.end(), matches);
}

std::optional<Refusal> check_host(std::string_view text, const HttpOptions& options,
                                  const HttpDoor& door) {
  const auto host = split_host(text);
  if (!host) return Refusal{400, "the Host header is not a host with an optional port", {}, {}};
  if (host_allowed(text, *host, options, door)) return std::nullopt;
  return Refusal{403,
                 "host \"" + std::string(text) +
                     "\" is not served here; use the address the server listens on, or add the "
                     "name to the allowed hosts",
                 {},
                 {}};
}

// A page of the same host (any port), or one that was named.
bool origin_allowed(std::string_view origin, std::string_view host_text,
                    const HttpOptions& options) {
  const auto& named = options.allowed_origins;
  if (std::any_of(named.begin(), named.end(),
                  [&](const std::string& known) { return equal_ignoring_case(origin, known); })) {
    return true;
  }
  std::string_view rest = origin;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return false;
  }
  const auto page = split_host(rest);
  const auto host = split_host(host_text);
  if (!page || !host) return false;
  return equal_ignoring_case(page->host, host->host) ||
         (is_loopback(page->host) && is_loopback(host->host));
}

std::optional<Refusal> check_origin(const HttpRequest& request, std::string_view host,
                                    const HttpOptions& options, Admission& admission) {
  const auto origin = request.header("origin");
  if (origin.data() == nullptr) return std::nullopt;
  if (request.count("origin") == 1 && origin_allowed(origin, host, options)) {
    admission.cors_origin = origin;
    return std::nullopt;
  }
  return Refusal{403,
                 "origin \"" + std::string(origin) +
                     "\" may not call this server; add it to the allowed origins",
                 {},
                 {}};
}

Refusal answer_options(const HttpRequest& request, Admission& admission) {
  Refusal preflight{204, {}, std::string(kAllow), {}};
  if (admission.cors_origin.empty()) return preflight;
  preflight.cors_origin = admission.cors_origin;
  preflight.headers += "Access-Control-Allow-Methods: GET, POST, DELETE\r\n";
  const auto wanted = request.header("access-control-request-headers");
  if (!wanted.empty()) {
    preflight.headers += "Access-Control-Allow-Headers: " + std::string(wanted) + "\r\n";
  }
  preflight.headers += "Access-Control-Max-Age: 600\r\n";
  return preflight;
}

// RFC 6750, 3. `error`: "" where no credential came.
std::string challenge(std::string_view error, const HttpOptions& options) {
  std::string line = "WWW-Authenticate: Bearer";
  if (!error.empty()) line.append(" error=\"").append(error).append(1, '"');
  if (!options.challenge.empty()) line.append(error.empty() ? " " : ", ").append(options.challenge);
  return line + "\r\n";
}

std::string retry_after(long ms) {
  return "Retry-After: " + std::to_string(std::max(1L, (ms + 999) / 1000)) + "\r\n";
}

Refusal refuse_token(const base::Error& error, const HttpOptions& options,
                     const Admission& admission) {
  switch (error.code) {
    case base::ErrorCode::Unavailable:
      return {503, error.message, retry_after(error.retry_after_ms), admission.cors_origin};
    case base::ErrorCode::Denied:
      return {403, error.message, challenge("insufficient_scope", options), admission.cors_origin};
    default:
      return {401, error.message, challenge("invalid_token", options), admission.cors_origin};
  }
}

std::optional<Refusal> check_token(const HttpRequest& request, const HttpOptions& options,
                                   Admission& admission) {
  if (!options.authenticate) {
    admission.caller = kLocal;
    return std::nullopt;
  }
  auto credential = request.header("authorization");
  constexpr std::string_view kScheme = "Bearer ";
  if (credential.size() <= kScheme.size() ||
      !equal_ignoring_case(credential.substr(0, kScheme.size()), kScheme)) {
    return Refusal{401, "a token is needed: send Authorization: Bearer TOKEN",
                   challenge("", options), admission.cors_origin};
  }
  credential.remove_prefix(kScheme.size());
  while (credential.starts_with(' ')) credential.remove_prefix(1);
  auto caller = options.authenticate(credential);
  if (!caller) return refuse_token(caller.error(), options, admission);
  admission.caller = std::move(*caller);
  return std::nullopt;
}

// Who comes too often is turned away before his body is read.
std::optional<Refusal> check_pace(const HttpOptions& options, const Admission& admission) {
  if (!options.pace) return std::nullopt;
  const base::Millis wait = options.pace(admission.caller);
  if (wait.count() <= 0) return std::nullopt;
  const auto seconds = std::to_string((wait.count() + 999) / 1000);
  return Refusal{429, "too many requests with this credential; retry in " + seconds + " s",
                 "Retry-After: " + seconds + "\r\n", admission.cors_origin};
}

// Who comes in, and whether he may now. Health is everybody's to ask, at any time.
std::optional<Refusal> check_caller(const HttpRequest& request, const HttpOptions& options,
                                    Admission& admission) {
  const auto path = request.text(request.path);
  const auto is_open = [path](const std::string& open) {
    return path == open || (open.ends_with('/') && path.starts_with(open));
  };
  if (std::any_of(options.open_paths.begin(), options.open_paths.end(), is_open)) {
    admission.caller = kLocal;
    return std::nullopt;
  }
  auto refusal = check_token(request, options, admission);
  if (!refusal) refusal = check_pace(options, admission);
  if (refusal && refusal->status < 500 && options.turned_away) {
    options.turned_away(admission.caller, refusal->status);
  }
  return refusal;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// application/json, with no charset or UTF-8 (RFC 8259 knows no other).
bool is_json(std::string_view type) {
  const auto semicolon = type.find(';');
  if (!equal_ignoring_case(trim(type.substr(0, semicolon)), "application/json")) return false;
  if (semicolon == std::string_view::npos) return true;
  const auto parameter = trim(type.substr(semicolon + 1));
  constexpr std::string_view kCharset = "charset=";
  if (!equal_ignoring_case(parameter.substr(0, kCharset.size()), kCharset)) return true;
  const auto charset = parameter.substr(kCharset.size());
  return equal_ignoring_case(charset, "utf-8") || equal_ignoring_case(charset, "\"utf-8\"");
}

std::optional<Refusal> check_body(const HttpRequest& request, const HttpOptions& options,
                                  const Admission& admission) {
  const auto refuse = [&](int status, std::string message) {
    return Refusal{status, std::move(message), {}, admission.cors_origin};
  };
  if (request.method == "POST") {
    const auto coding = request.header("content-encoding");
    if (!is_json(request.header("content-type"))) {
      return refuse(415, "send the body as Content-Type: application/json");
    }
    if (!coding.empty() && !equal_ignoring_case(coding, "identity")) {
      return refuse(415, "send the body without a Content-Encoding");
    }
  }
  const auto expectation = request.header("expect");
  if (!expectation.empty() && !equal_ignoring_case(expectation, "100-continue")) {
    return refuse(417, "the only expectation met is 100-continue");
  }
  if (request.content_length > options.limits.max_body_bytes) {
    return refuse(
        413, "the body is longer than " + std::to_string(options.limits.max_body_bytes) + " bytes");
  }
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> check_request(const HttpRequest& request, const HttpOptions& options,
                                     const HttpDoor& door, Admission& admission) {
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end()) {
    return Refusal{405,
                   "method " + std::string(request.method) + " is not used here",
                   std::string(kAllow),
                   {}};
  }
  const auto host = request.header("host");
  if (host.data() != nullptr) {
    if (auto refusal = check_host(host, options, door)) return refusal;
  }
  if (request.authority.size > 0) {
    if (auto refusal = check_host(request.text(request.authority), options, door)) return refusal;
  }
  if (auto refusal = check_origin(request, host, options, admission)) return refusal;
  if (request.method == "OPTIONS") return answer_options(request, admission);
  if (auto refusal = check_caller(request, options, admission)) return refusal;
  return check_body(request, options, admission);
}

}  // namespace mahavishnu::net
