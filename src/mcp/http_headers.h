// The headers of a POST to the MCP endpoint, checked against its body (2026-07-28,
// basic/transports/streamable-http, "Request Metadata"). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "rpc/message.h"

namespace mahavishnu::mcp {

struct RequestHeaders {
  std::optional<std::string_view> version;  // MCP-Protocol-Version
  std::optional<std::string_view> method;   // Mcp-Method
  std::optional<std::string_view> name;     // Mcp-Name
};

// Whether `accept` (data() nullptr when there is no such header) admits both JSON and an event
// stream; wildcards do, and so does no header at all.
bool accepts_both(std::string_view accept);

// application/json, with or without parameters.
bool is_json(std::string_view content_type);

// -32020 unless the version header is there and is what the body claims.
std::optional<rpc::RpcError> check_version_header(const RequestHeaders& headers,
                                                  std::string_view claimed);

// -32020 unless Mcp-Method is there and is `method`.
std::optional<rpc::RpcError> check_method_header(const RequestHeaders& headers,
                                                 std::string_view method);

// Whether `accept` admits an event stream.
bool accepts_stream(std::string_view accept);

// -32020 unless Mcp-Name is there and, decoded, is `name`.
std::optional<rpc::RpcError> check_name_header(const RequestHeaders& headers,
                                               std::string_view name);

// Decodes `=?base64?…?=`; any other text is itself. Nothing when the base64 is not strictly right
// (RFC 4648, padded, no foreign characters, no left-over bits).
std::optional<std::string> decode_header_value(std::string_view value);

}  // namespace mahavishnu::mcp
