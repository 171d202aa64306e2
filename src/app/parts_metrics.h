// What the server's parts tell in its metrics, of those that know no metrics themselves. Control
// thread only.
#pragma once

#include "base/cache.h"
#include "control/service.h"
#include "journal/sqlite_journal.h"
#include "outbound/breaker_board.h"

namespace mahavishnu::app {

// With the memory that the process takes and the lines its log has dropped.
void add_metrics(const journal::SqliteJournal& journal, control::Metrics& metrics);
void add_metrics(const outbound::BreakerBoard& breakers, control::Metrics& metrics);
void add_metrics(const base::Caches& caches, control::Metrics& metrics);

}  // namespace mahavishnu::app
