#include "mcp/http_headers.h"

#include <algorithm>
#include <cctype>

#include "base/base64.h"
#include "mcp/error_map.h"
#include "mcp/nearest.h"

namespace mahavishnu::mcp {
namespace {

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool equal_in_any_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return std::tolower(static_cast<unsigned char>(x)) ==
                  std::tolower(static_cast<unsigned char>(y));
         });
}

// The next item of a list up to `separator`, taken off `rest`.
std::string_view next_item(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view item = rest.substr(0, end);
  rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  return trimmed(item);
}

// Whether a list of media ranges holds `type`, all of its kind, or everything.
bool accepts(std::string_view list, std::string_view type, std::string_view kind) {
  while (!list.empty()) {
    std::string_view item = next_item(list, ',');
    const std::string_view range = next_item(item, ';');
    if (range == "*/*" || equal_in_any_case(range, type) || equal_in_any_case(range, kind)) {
      return true;
    }
  }
  return false;
}

rpc::RpcError mismatch(const char* header, std::string_view got, std::string_view body) {
  return rpc_error(error_code::kHeaderMismatch, "header mismatch: " + std::string(header) + " is " +
                                                    in_quotes(got) + ", the body says " +
                                                    in_quotes(body));
}

rpc::RpcError missing(const char* header, std::string_view body) {
  return rpc_error(
      error_code::kHeaderMismatch,
      "header mismatch: " + std::string(header) + " is missing; the body says " + in_quotes(body));
}

}  // namespace

bool accepts_both(std::string_view accept) {
  if (accept.data() == nullptr || accept == "application/json, text/event-stream") return true;
  return accepts(accept, "application/json", "application/*") && accepts_stream(accept);
}

bool accepts_stream(std::string_view accept) {
  return accept.data() == nullptr || accepts(accept, "text/event-stream", "text/*");
}

bool is_json(std::string_view content_type) {
  return content_type == "application/json" ||
         equal_in_any_case(next_item(content_type, ';'), "application/json");
}

std::optional<rpc::RpcError> check_version_header(const RequestHeaders& headers,
                                                  std::string_view claimed) {
  if (!headers.version) return missing("MCP-Protocol-Version", claimed);
  if (*headers.version != claimed) {
    return mismatch("MCP-Protocol-Version", *headers.version, claimed);
  }
  return std::nullopt;
}

std::optional<rpc::RpcError> check_method_header(const RequestHeaders& headers,
                                                 std::string_view method) {
  if (!headers.method) return missing("Mcp-Method", method);
  if (trimmed(*headers.method) != method) return mismatch("Mcp-Method", *headers.method, method);
  return std::nullopt;
}

std::optional<rpc::RpcError> check_name_header(const RequestHeaders& headers,
                                               std::string_view name) {
  if (!headers.name) return missing("Mcp-Name", name);
  const auto decoded = decode_header_value(trimmed(*headers.name));
  if (!decoded || *decoded != name) return mismatch("Mcp-Name", *headers.name, name);
  return std::nullopt;
}

std::optional<std::string> decode_header_value(std::string_view value) {
  constexpr std::string_view kOpen = "=?base64?";
  constexpr std::string_view kClose = "?=";
  if (value.size() < kOpen.size() + kClose.size() || !value.starts_with(kOpen) ||
      !value.ends_with(kClose)) {
    return std::string(value);
  }
  value.remove_prefix(kOpen.size());
  value.remove_suffix(kClose.size());
  return base::decode_base64(value);
}

}  // namespace mahavishnu::mcp
