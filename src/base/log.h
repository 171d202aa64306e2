// The process's log: one spdlog logger that writes to stderr and never blocks the caller.
//
// The queue is bounded (8,192 lines); when it is full the oldest line is dropped. Lines below the
// level cost no formatting. stdout is never written: it belongs to the protocol. Any thread.
#pragma once

#include <spdlog/spdlog.h>

#include <memory>
#include <string_view>

#include "base/result.h"

namespace mahavishnu::base {

// Never null: before `start_log` it is a synchronous stderr logger at warning level.
spdlog::logger* log();

// Makes the logger asynchronous. `level`: trace, debug, info, warn, error, off.
Status start_log(std::string_view level);

// Writes out what is queued. Call before exit.
void stop_log();

}  // namespace mahavishnu::base
