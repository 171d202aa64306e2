// Who may come how often, and what is written down of it, as it is configured.
#pragma once

#include "app/access.h"
#include "app/audit.h"
#include "app/config.h"

namespace mahavishnu::app {

// InvalidArgument: a limit of a tool that is not one.
base::Result<Access::Limits> access_limits(const Config& config);

Audit::Options audit_options(const Config& config);

}  // namespace mahavishnu::app
