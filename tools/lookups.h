// What filters mean: names as the records spell them, and the sums of a cancel.
#pragma once

#include <optional>
#include <string>

#include "tools/json_views.h"
#include "tools/registry.h"

namespace mahavishnu::tools {

inline constexpr const char* kTaskStates =
    "queued, running, retry_wait, completed, failed, cancelled, dead";

// A nickname becomes the name; a name that is not configured (any more) stays, since records of it
// may still be there.
std::string canonical_repo(const Context& context, std::string name);

// The pool a name or id means. An id needs no living pool; nullopt when nothing can be meant.
std::optional<domain::PoolId> pool_meant(const Context& context, const std::string& name_or_id);

// cancelled, already_ended, still_ending, processes_left
Json cancel_sums(const control::CancelOutcome& outcome);

}  // namespace mahavishnu::tools
