// What commits change of the resources that clients may watch: tasks, workflows, pools.
//
// Called for every commit; does nothing while nobody watches anything. Control thread.
#pragma once

#include <vector>

#include "control/service.h"
#include "domain/records.h"
#include "mcp/server.h"

namespace mahavishnu::app {

void tell_updates(mcp::Server& server, const control::Service& service,
                  const std::vector<domain::Record>& records);

}  // namespace mahavishnu::app
