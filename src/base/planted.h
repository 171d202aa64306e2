// Faults planted on purpose, to show that the simulation would find them.
//
// `planted(n)` is false at compile time in every build but one: tests/simulation compiles the files
// that hold a plant once more with MAHAVISHNU_PLANTS, and chooses there which of them is alive. The
// plants and what finds them: tests/simulation/plants.h. Nothing of it is in the program.
#pragma once

namespace mahavishnu::base {

#ifdef MAHAVISHNU_PLANTS
inline int alive_plant = 0;
inline bool planted(int number) { return number == alive_plant; }
#else
constexpr bool planted(int) { return false; }
#endif

}  // namespace mahavishnu::base
