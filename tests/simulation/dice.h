// The one source of chance of a simulation, what it has found broken, and what it tells of itself.
//
// The same seed gives the same run: whoever decides anything asks the dice. One thread.
#pragma once

#include <cstdint>
#include <deque>
#include <sstream>
#include <string>
#include <vector>

#include "domain/retry.h"

namespace mahavishnu::simulation {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : chance_(seed) {}
  std::uint64_t draw() { return chance_.draw(); }
  std::uint64_t below(std::uint64_t n) { return draw() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <class T>
  const T& any(const std::vector<T>& of) {
    return of[below(of.size())];
  }

 private:
  domain::Chance chance_;
};

// The first broken rule, and the last steps that led there. Steps are kept only when `tracing`: a
// seed that failed is run again for its story.
struct Verdict {
  std::string broken;
  bool tracing = false;
  bool aloud = false;  // steps are printed as they happen
  std::deque<std::string> story;

  void fail(const std::string& what) {
    if (broken.empty()) broken = what;
    if (tracing) tell("BROKEN: ", what);
  }
  template <class... Part>
  void tell(const Part&... parts) {
    if (!tracing) return;
    std::ostringstream text;
    (text << ... << parts);
    add(text.str());
  }

 private:
  void add(std::string line);
};

// An id short enough for a story.
template <class Id>
std::string brief(Id id) {
  const std::string text = id.str();
  return text.substr(0, text.find('_') + 1) + text.substr(text.size() - 5);
}

}  // namespace mahavishnu::simulation
