// Whether a pool's settings are what its type needs. Pure functions.
#pragma once

#include "domain/types.h"

namespace mahavishnu::domain {

inline constexpr std::string_view kMcp =
    "mcp";  // a pool's type, and the worker type of such a pool

// InvalidArgument names the setting and what it should be.
Status check_settings(const PoolSpec& spec);

// Whether a piece of work says what to run, and once: by command, argv or tool.
Status check_work(const Work& work);

// Whether a pool can do it: tools are called by pools of type mcp, and by no others. `others`: the
// pools of type mcp there are, for the message.
Status check_fit(const Work& work, const PoolSpec& pool, const std::vector<std::string>& others);

// "a", "b" and 3 more.
std::string listed(const std::vector<std::string>& names);

}  // namespace mahavishnu::domain
