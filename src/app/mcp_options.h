// What of the configuration is MCP's own, and what there is to measure of it. Pure.
#pragma once

#include "app/config.h"
#include "control/service.h"
#include "mcp/server.h"

namespace mahavishnu::app {

mcp::ServerOptions server_options(const Config& config);

void add_metrics(const mcp::ReplayFigures& figures, control::Metrics& metrics);

}  // namespace mahavishnu::app
