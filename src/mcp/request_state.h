// The `requestState` of 2026-07-28's multi-round-trip requests: what a client carries from one
// round of a call to the next, and cannot change.
//
// It holds the answers so far, an end, and a digest of who asked for what, all under an HMAC
// (SHA-256): another caller, another call, a changed byte or a later time makes it void
// (basic/patterns/mrtr, "Server Requirements"). Time is given. One thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "mcp/call.h"
#include "mcp/signer.h"
#include "rpc/json.h"

namespace mahavishnu::mcp {

class RequestState {
 public:
  static constexpr std::size_t kMaxBytes = 64 * 1024;

  // `key` "": one is made, and no state outlives this object.
  RequestState(std::string key, std::chrono::milliseconds lives);

  // What binds a state to its call; `params` without inputResponses and requestState.
  static std::string digest(std::string_view caller, std::string_view method,
                            const rpc::Json& params);

  // Exhausted when it would be longer than kMaxBytes.
  base::Result<std::string> seal(const Answers& answers, std::string_view digest,
                                 base::WallTime now) const;

  // InvalidArgument when it was not sealed here, for this digest, or is over.
  base::Result<Answers> open(std::string_view state, std::string_view digest,
                             base::WallTime now) const;

 private:
  Signer signer_;
  std::chrono::milliseconds lives_;
};

}  // namespace mahavishnu::mcp
