#include "mcp/error_map.h"

#include "rpc/codec.h"

namespace mahavishnu::mcp {
namespace {

std::string duration(long milliseconds) {
  if (milliseconds % 1000 == 0) return std::to_string(milliseconds / 1000) + " s";
  return std::to_string(milliseconds) + " ms";
}

}  // namespace

rpc::RpcError rpc_error(int code, std::string message) {
  return rpc::RpcError{code, std::move(message), nullptr};
}

int http_status(const rpc::RpcError& error, bool modern) {
  if (!modern) return 200;
  switch (error.code) {
    case error_code::kMethodNotFound:
      return 404;
    case error_code::kHeaderMismatch:
    case error_code::kMissingRequiredClientCapability:
    case error_code::kUnsupportedProtocolVersion:
      return 400;
    default:
      return 200;
  }
}

int http_status(base::ErrorCode code) {
  switch (code) {
    case base::ErrorCode::InvalidArgument:
      return 400;
    case base::ErrorCode::Unauthenticated:
      return 401;
    case base::ErrorCode::Denied:
      return 403;
    case base::ErrorCode::NotFound:
      return 404;
    case base::ErrorCode::Conflict:
      return 409;
    case base::ErrorCode::Exhausted:
      return 429;
    case base::ErrorCode::Cancelled:
      return 499;
    case base::ErrorCode::Unavailable:
      return 503;
    case base::ErrorCode::Deadline:
      return 504;
    case base::ErrorCode::Internal:
      break;
  }
  return 500;
}

rpc::HeaderList retry_headers(const base::Error& error) {
  if (error.retry_after_ms <= 0) return {};
  return {{"Retry-After", std::to_string((error.retry_after_ms + 999) / 1000)}};
}

std::string script_error(const base::Error& error) {
  std::string out = R"({"error":{"code":")";
  out += base::to_string(error.code);
  out += R"(","message":)";
  rpc::append_json_string(out, error.message);
  if (error.retry_after_ms > 0) {
    out += R"(,"data":{"retry_after_ms":)" + std::to_string(error.retry_after_ms) + "}";
  }
  return out + "}}";
}

std::string tool_error_text(const base::Error& error) {
  if (error.retry_after_ms <= 0 || error.message.find("retry") != std::string::npos) {
    return error.message;
  }
  return error.message + "; retry in " + duration(error.retry_after_ms);
}

}  // namespace mahavishnu::mcp
