// What one credential may do with the tools that its view serves.
//
// The dispatcher asks; who holds which credential, and what it is good for, is decided outside. A
// view without one may call all that it serves. One executor. Lifetime: shared by the calls it
// admitted.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "mcp/tool.h"

namespace mahavishnu::mcp {

class Permit {
 public:
  virtual ~Permit() = default;

  // False: it has expired or was revoked. A stream that was let in by it tells nothing more then.
  virtual bool in_force() const = 0;
  // Whether tools/list shows the tool.
  virtual bool shows(const Tool& tool) const = 0;
  // Permits with equal classes show the same tools: their lists are kept once.
  virtual std::string_view list_class() const = 0;

  // For a caller who can get himself a credential that may call `tool`: the value of
  // WWW-Authenticate that tells him which (authorization, "Scope Challenge Handling"). Empty: his
  // may call it, or there is no such way.
  virtual std::string challenge(const Tool& tool) const {
    (void)tool;
    return {};
  }

  // Asked once for every call of a tool that the view serves, before its arguments are checked.
  // Denied: never with this credential, the message says what it lacks. Exhausted: too many calls,
  // with retry_after_ms.
  virtual base::Status admit(const Tool& tool, const Json& arguments) = 0;
};

}  // namespace mahavishnu::mcp
