// Names that nobody can guess: of sessions and streams. Any thread.
#pragma once

#include <string>

namespace mahavishnu::mcp {

// 128 bits of the system's randomness as 32 hexadecimal digits (visible ASCII, as headers require).
std::string unguessable_id();

}  // namespace mahavishnu::mcp
