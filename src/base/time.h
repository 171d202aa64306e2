// Time as values. Nothing below `control` reads a clock: it is told what time it is.
//
// Two clocks, never mixed: `WallTime` is what people see and what is stored; `MonoTime` is what
// deadlines inside one run of the server are measured on, so that a clock step moves no timer.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mahavishnu::base {

using Millis = std::chrono::milliseconds;
using WallTime = std::chrono::time_point<std::chrono::system_clock, Millis>;
using MonoTime = std::chrono::time_point<std::chrono::steady_clock, std::chrono::microseconds>;

// RFC 3339 UTC with milliseconds: "2026-11-21T19:35:55.123Z".
std::string to_rfc3339(WallTime time);

// Accepts RFC 3339 with an offset or Z and any number of fraction digits. Never throws.
Result<WallTime> parse_rfc3339(std::string_view text);

WallTime wall_now();
MonoTime mono_now();

}  // namespace mahavishnu::base
