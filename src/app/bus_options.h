// The message bus's settings, and what metrics tell of it.
#pragma once

#include "app/config.h"
#include "control/message_bus.h"
#include "control/service.h"

namespace mahavishnu::app {

// InvalidArgument names the entry of messages.policies that is none.
base::Result<control::MessageBusOptions> message_bus_options(const Config& config);

void add_metrics(const control::MessageBus& bus, control::Metrics& metrics);

}  // namespace mahavishnu::app
