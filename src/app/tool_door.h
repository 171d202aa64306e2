// The tools as the client verbs (run, call, status) see them, wherever the server is.
//
// One executor; one call at a time. Nobody but the verbs uses it: the server has no client of
// itself.
#pragma once

#include <string>

#include "base/asio.h"
#include "base/result.h"
#include "base/time.h"
#include "rpc/json.h"

namespace mahavishnu::app {

class ToolDoor {
 public:
  virtual ~ToolDoor() = default;

  // The structured result. An Error carries the tool's or the server's own words; Unavailable and
  // Deadline mean that the server did not answer.
  virtual base::awaitable<base::Result<rpc::Json>> call(std::string tool, rpc::Json arguments) = 0;
};

}  // namespace mahavishnu::app
