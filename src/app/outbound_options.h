// What the configuration says of the servers outside, and what they come to in the metrics.
#pragma once

#include <string>

#include "app/config.h"
#include "control/service.h"
#include "outbound/opensearch.h"
#include "outbound/session_buddy.h"

namespace mahavishnu::app {

// Errors name the setting or the file. Secrets are read from their files.
base::Result<outbound::SessionBuddyOptions> buddy_options(const Config& config);
base::Result<outbound::OpenSearchOptions> opensearch_options(const Config& config,
                                                             const std::string& node);

void add_metrics(const outbound::SessionBuddy::Figures& figures, control::Metrics& metrics);
void add_metrics(const outbound::OpenSearch::Figures& figures, control::Metrics& metrics);

}  // namespace mahavishnu::app
