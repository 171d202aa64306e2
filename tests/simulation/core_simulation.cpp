// The core through storms: by default a few seconds of seeds. MAHAVISHNU_SIM_SECONDS prolongs it,
// MAHAVISHNU_SIM_SEED replays one seed; a seed that fails prints itself.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <string>

#include "simulation/simulated_world.h"

using mahavishnu::simulation::SimulatedWorld;

namespace {

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

std::string run(std::uint64_t seed) {
  SimulatedWorld world(seed);
  for (int i = 0; i < 600 && world.broken().empty(); ++i) world.act();
  if (world.broken().empty()) world.finish();
  if (world.broken().empty()) return "";
  return world.broken() + " (MAHAVISHNU_SIM_SEED=" + std::to_string(seed) + ")" + world.story();
}

}  // namespace

TEST_SUITE_BEGIN("simulation of the core");

TEST_CASE("whatever happens, every accepted task ends exactly once and no two attempts overlap") {
  const std::uint64_t only = number_from("MAHAVISHNU_SIM_SEED", 0);
  if (only != 0) {
    CHECK(run(only) == "");
    return;
  }
  const auto limit = std::chrono::seconds(number_from("MAHAVISHNU_SIM_SECONDS", 4));
  const auto start = std::chrono::steady_clock::now();
  std::uint64_t seed = 1;
  for (; std::chrono::steady_clock::now() - start < limit; ++seed) {
    const std::string wrong = run(seed);
    REQUIRE(wrong == "");
  }
  MESSAGE((seed - 1) << " seeds");
  CHECK(seed > 1);
}

TEST_SUITE_END();
