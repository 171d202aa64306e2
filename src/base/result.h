// The project's one way to say that something did not work.
//
// `Result<T>` is returned by every function that can fail for a reason a caller may meet in
// production. Exceptions mean bugs or third-party surprises and are caught in three places only
// (RPC dispatch, TaskGroup, main). `tl::expected` stands in for `std::expected`, which this
// toolchain lacks; it is named here and nowhere else.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace mahavishnu::base {

// What kind of failure it is. A door maps these to the wire in one table (mcp/error_map).
enum class ErrorCode {
  InvalidArgument,
  NotFound,
  Conflict,
  Unauthenticated,
  Denied,
  Unavailable,
  Exhausted,
  Cancelled,
  Deadline,
  Internal,
};

// The enumerator's name, as scripts see it in `error.code` ("NotFound").
std::string_view to_string(ErrorCode code);

// `message` names the thing and the way out: `pool "gpu" is full (64 queued); retry in 2 s or
// raise max_queue`. `retry_after_ms` > 0 goes with Exhausted and Unavailable only.
struct [[nodiscard]] Error {
  ErrorCode code = ErrorCode::Internal;
  std::string message;
  long retry_after_ms = 0;
};

template <class T>
using Result = tl::expected<T, Error>;

using Status = Result<void>;

inline tl::unexpected<Error> fail(ErrorCode code, std::string message, long retry_after_ms = 0) {
  return tl::unexpected<Error>(Error{code, std::move(message), retry_after_ms});
}

inline tl::unexpected<Error> fail(Error error) { return tl::unexpected<Error>(std::move(error)); }

}  // namespace mahavishnu::base
