#include "net/http_response.h"

#include <http_parser.h>

#include <array>
#include <charconv>

#include "rpc/codec.h"

namespace mahavishnu::net {
namespace {

void append_number(std::string& out, std::size_t value, int base = 10) {
  std::array<char, 24> digits{};
  out.append(digits.data(),
             std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr);
}

// The `code` of an error body.
std::string_view error_code_of(int status) {
  switch (status) {
    case 401:
      return "Unauthenticated";
    case 403:
      return "Denied";
    case 404:
      return "NotFound";
    case 408:
      return "Deadline";
    case 413:
    case 429:
    case 431:
      return "Exhausted";
    case 500:
      return "Internal";
    case 503:
      return "Unavailable";
    default:
      return "InvalidArgument";
  }
}

void append_status(std::string& out, const ResponseFrame& frame, int status) {
  if (status == 200) {
    out += frame.http_1_1 ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.0 200 OK\r\n";
  } else {
    out += frame.http_1_1 ? "HTTP/1.1 " : "HTTP/1.0 ";
    append_number(out, static_cast<std::size_t>(status));
    out += ' ';
    out += reason_phrase(status);
    out += "\r\n";
  }
  out += frame.date_line;
}

void append_header(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += ": ";
  for (const char c : value) out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  out += "\r\n";
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out += name;
  out += value;
  out += '\n';
}

void append_common(std::string& out, const ResponseFrame& frame, const rpc::HeaderList& headers) {
  for (const auto& [name, value] : headers) append_header(out, name, value);
  if (!frame.cors_origin.empty()) {
    append_header(out, "Access-Control-Allow-Origin", frame.cors_origin);
    out +=
        "Access-Control-Expose-Headers: Mcp-Session-Id, WWW-Authenticate, Retry-After\r\n"
        "Vary: Origin\r\n";
  }
  if (!frame.keep_alive) {
    out += "Connection: close\r\n";
  } else if (!frame.http_1_1) {
    out += "Connection: keep-alive\r\n";
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  if (status == 499) return "Client Closed Request";
  return http_status_str(static_cast<http_status>(status));
}

void append_head(std::string& out, const ResponseFrame& frame, int status,
                 std::string_view content_type, std::size_t body_bytes,
                 const rpc::HeaderList& headers, std::string_view extra) {
  append_status(out, frame, status);
  if (!content_type.empty()) append_header(out, "Content-Type", content_type);
  if (status != 204 && status != 304) {  // which have no body (RFC 9110 section 8.6)
    out += "Content-Length: ";
    append_number(out, body_bytes);
    out += "\r\n";
  }
  out += extra;
  append_common(out, frame, headers);
  out += "\r\n";
}

void append_stream_head(std::string& out, const ResponseFrame& frame,
                        const rpc::HeaderList& headers) {
  append_status(out, frame, 200);
  out += "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n";
  if (frame.http_1_1) out += "Transfer-Encoding: chunked\r\n";
  append_common(out, frame, headers);
  out += "\r\n";
}

std::string error_body(int status, std::string_view message) {
  std::string body = R"({"error":{"code":)";
  rpc::append_json_string(body, error_code_of(status));
  body += R"(,"message":)";
  rpc::append_json_string(body, message);
  body += "}}";
  return body;
}

void append_chunk(std::string& out, std::string_view bytes, bool chunked) {
  if (!chunked) {
    out += bytes;
    return;
  }
  append_number(out, bytes.size(), 16);
  out += "\r\n";
  out += bytes;
  out += "\r\n";
}

// A line break in the data would end the field: each line gets its own (HTML, section 9.2.6).
std::string event_text(const rpc::Event& event) {
  std::string text;
  text.reserve(event.data.size() + event.id.size() + 32);
  if (!event.name.empty()) append_field(text, "event: ", event.name);
  if (!event.id.empty()) append_field(text, "id: ", event.id);
  if (event.retry_ms > 0) append_field(text, "retry: ", std::to_string(event.retry_ms));
  std::string_view data = event.data;
  for (;;) {
    const auto end = data.find_first_of("\r\n");
    append_field(text, "data: ", data.substr(0, end));
    if (end == std::string_view::npos) break;
    data.remove_prefix(data.substr(end).starts_with("\r\n") ? end + 2 : end + 1);
  }
  text += '\n';
  return text;
}

}  // namespace mahavishnu::net
