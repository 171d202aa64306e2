// One JSON-RPC 2.0 message as a value. Knows nothing of MCP, of bytes or of sockets.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>

#include "rpc/json.h"

namespace mahavishnu::rpc {

// A request's id exactly as it came, so that it is echoed as it came: null, integer or string. Other
// numbers (1.5) are valid JSON-RPC: kept as their text.
struct RequestId {
  struct Number { std::string text; bool operator==(const Number&) const = default; };
  std::variant<std::nullptr_t, Number, std::string> value = nullptr;

  bool operator==(const RequestId&) const = default;
  std::string to_json() const;   // `7`, `"a"`, `null`
};

// JSON-RPC's own codes (specification section 5.1). MCP's are in mcp/error_map.h.
namespace error_code {
inline constexpr int kParseError = -32700;
inline constexpr int kInvalidRequest = -32600;
inline constexpr int kMethodNotFound = -32601;
inline constexpr int kInvalidParams = -32602;
inline constexpr int kInternalError = -32603;
}  // namespace error_code

struct RpcError {
  int code = error_code::kInternalError;
  std::string message;
  Json data;  // null: absent
};

struct Request {
  RequestId id;
  std::string method;
  Json params;  // object, array, or null when absent
  // The member of params that the decoder set aside, when it was there; shared between requests
  // that repeat it.
  std::shared_ptr<const Json> metadata;
};
struct Notification {
  std::string method;
  Json params;
  std::shared_ptr<const Json> metadata;
};
struct Response {
  RequestId id;
  std::variant<Json, RpcError> outcome;
};

// What is not a message: the error its sender gets, with the id if one could be read.
struct Malformed {
  RequestId id;  // null when it could not be read
  RpcError error;
};

using Message = std::variant<Request, Notification, Response, Malformed>;

}  // namespace mahavishnu::rpc
