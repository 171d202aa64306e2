// The one table that maps failures to the wire: JSON-RPC codes of both eras, HTTP statuses, and the
// text a tool's failure has for a model. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "rpc/http_exchange.h"
#include "rpc/message.h"

namespace mahavishnu::mcp {

// MCP's own codes (2026-07-28, basic/index, "Error Codes"). JSON-RPC's are in rpc/message.h; the
// range -32000 … -32019 is legacy's: of it only -32002 has a meaning, and only there.
namespace error_code {
using namespace rpc::error_code;
inline constexpr int kHeaderMismatch = -32020;
inline constexpr int kMissingRequiredClientCapability = -32021;
inline constexpr int kUnsupportedProtocolVersion = -32022;
inline constexpr int kLegacyResourceNotFound = -32002;  // up to 2025-11-25
}  // namespace error_code

// A protocol error, before it has an id.
rpc::RpcError rpc_error(int code, std::string message);

// Status of a JSON-RPC error over HTTP. Modern: 404 for an unknown method and 400 for what concerns
// the request's metadata; everything else, and every answer of the legacy era, is in-band: 200.
int http_status(const rpc::RpcError& error, bool modern);

// Status of a failure at POST /tools/call.
int http_status(base::ErrorCode code);

// `Retry-After` in whole seconds, rounded up, when the failure names a time; otherwise nothing.
rpc::HeaderList retry_headers(const base::Error& error);

// {"error":{"code","message","data"?}}: a failure as a script gets it.
std::string script_error(const base::Error& error);

// A failure as a model reads it: the message, and when to try again unless it says so itself.
std::string tool_error_text(const base::Error& error);

}  // namespace mahavishnu::mcp
