// What commits tell on the message bus: changes of tasks, workflows and pools, as topics event.…
//
// Called for every commit; makes nothing while no group's pattern can meet an event. Control
// thread.
#pragma once

#include <vector>

#include "control/message_bus.h"
#include "control/service.h"
#include "domain/records.h"

namespace mahavishnu::app {

// event.task.STATE, event.workflow.STATE and event.pool.STATE (event.pool.removed at its end), with
// the ids, names and reasons as JSON.
void tell_events(control::MessageBus& bus, const control::Service& service,
                 const std::vector<domain::Record>& records);

}  // namespace mahavishnu::app
