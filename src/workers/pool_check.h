// Whether what a pool's work needs of this machine is there. Blocks: files are looked at.
#pragma once

#include <string>

#include "domain/types.h"

namespace mahavishnu::workers {

// One sentence on what is missing, "" when nothing is. `env`: what the pool's work would run with.
std::string missing_for(const domain::PoolSpec& pool, const domain::StringMap& env);

}  // namespace mahavishnu::workers
