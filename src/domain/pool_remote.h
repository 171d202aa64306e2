// The server that stands behind a pool (pools of type mcp that name a URL), as a port: asked how it
// is.
#pragma once

#include <functional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "domain/types.h"

namespace mahavishnu::domain {

struct RemoteReading {
  std::string server;    // what it calls itself, "name 1.2"
  std::string protocol;  // the revision of MCP it is spoken to in
  Millis took{0};        // from the question to its answer
};

class PoolRemote {
 public:
  using Answer = std::function<void(Result<RemoteReading>)>;
  virtual ~PoolRemote() = default;

  // One question; exactly one answer, on the control thread and never from inside the call, unless
  // it was stopped before. Deadline after `limit`; Unavailable: it does not work, and why.
  virtual void ask(const PoolSpec& pool, Millis limit, Answer answer) = 0;
};

}  // namespace mahavishnu::domain
