#include "tools/scope.h"

#include <algorithm>

namespace mahavishnu::tools {

Scope scope_of(const mcp::Tool& tool) {
  if (std::find(kAdministration.begin(), kAdministration.end(), tool.name) !=
      kAdministration.end()) {
    return Scope::Admin;
  }
  return tool.effect == mcp::Effect::ReadOnly ? Scope::Read : Scope::Run;
}

}  // namespace mahavishnu::tools
