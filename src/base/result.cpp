#include "base/result.h"

namespace mahavishnu::base {

std::string_view to_string(ErrorCode code) {
  switch (code) {
    case ErrorCode::InvalidArgument: return "InvalidArgument";
    case ErrorCode::NotFound: return "NotFound";
    case ErrorCode::Conflict: return "Conflict";
    case ErrorCode::Unauthenticated: return "Unauthenticated";
    case ErrorCode::Denied: return "Denied";
    case ErrorCode::Unavailable: return "Unavailable";
    case ErrorCode::Exhausted: return "Exhausted";
    case ErrorCode::Cancelled: return "Cancelled";
    case ErrorCode::Deadline: return "Deadline";
    case ErrorCode::Internal: return "Internal";
  }
  return "Internal";
}

}  // namespace mahavishnu::base
