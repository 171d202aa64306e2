// Runs seeds of the simulated server: simulate --help.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "base/log.h"
#include "base/planted.h"
#include "simulation/plants.h"
#include "simulation/server_world.h"

using mahavishnu::simulation::ServerWorld;

namespace {

constexpr const char* kHelp =
    "simulate [--seeds N | --seconds S] [--first SEED]   runs seeds one after another\n"
    "simulate --seed SEED [--trace]                      runs one, and tells its story\n"
    "A seed that fails prints itself and the last steps; --trace prints every step.\n"
    "simulate-plants … --plant N: with the fault N of tests/simulation/plants.h in it.\n";

struct Asked {
  std::uint64_t first = 1;
  std::uint64_t seeds = 0;
  double seconds = 5;
  std::uint64_t only = 0;
  int plant = 0;
  bool aloud = false;
  bool help = false;
};

Asked read(int count, char** words) {
  Asked asked;
  for (int i = 1; i < count; ++i) {
    const std::string word = words[i];
    const char* value = i + 1 < count ? words[i + 1] : nullptr;
    if (word == "--trace") {
      asked.aloud = true;
      continue;
    }
    if (value == nullptr) return asked.help = true, asked;
    ++i;
    if (word == "--seeds") {
      asked.seeds = std::strtoull(value, nullptr, 10);
    } else if (word == "--seconds") {
      asked.seconds = std::strtod(value, nullptr);
    } else if (word == "--first") {
      asked.first = std::strtoull(value, nullptr, 10);
    } else if (word == "--seed") {
      asked.only = std::strtoull(value, nullptr, 10);
    } else if (word == "--plant") {
      asked.plant = std::atoi(value);
    } else {
      asked.help = true;
    }
  }
  return asked;
}

// How long a seed is varies, so that short ones with little in them are seen as well.
std::string run(std::uint64_t seed, bool tracing, bool aloud) {
  ServerWorld world(seed, tracing, aloud);
  const int steps = 200 + static_cast<int>(seed * 7919 % 1800);
  for (int i = 0; i < steps && world.verdict().broken.empty(); ++i) world.act();
  if (world.verdict().broken.empty()) world.finish();
  if (world.verdict().broken.empty() || !tracing) return world.verdict().broken;
  for (const std::string& line : world.verdict().story) std::printf("  %s\n", line.c_str());
  return world.verdict().broken;
}

// False: there is no such fault, or this build has none.
bool plant(int number) {
#ifdef MAHAVISHNU_PLANTS
  if (number < 0 || number > mahavishnu::simulation::kLastPlant) return false;
  mahavishnu::base::alive_plant = number;
  return true;
#else
  return number == 0;
#endif
}

// A failed seed is run again for its story.
bool good(std::uint64_t seed, const Asked& asked) {
  const std::string broken = run(seed, asked.aloud, asked.aloud);
  if (broken.empty()) return true;
  if (!asked.aloud && run(seed, true, false) != broken) std::printf("it does not replay\n");
  std::printf("seed %llu: %s\nreplay: scripts/simulate --seed %llu --trace\n",
              static_cast<unsigned long long>(seed), broken.c_str(),
              static_cast<unsigned long long>(seed));
  return false;
}

}  // namespace

int main(int count, char** words) {
  const Asked asked = read(count, words);
  if (asked.help || !plant(asked.plant)) return std::fputs(kHelp, stderr), 2;
  mahavishnu::base::log()->set_level(spdlog::level::off);
  if (asked.only != 0) return good(asked.only, asked) ? 0 : 1;
  const auto start = std::chrono::steady_clock::now();
  const auto spent = [start] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::uint64_t run = 0;
  while (asked.seeds > 0 ? run < asked.seeds : spent() < asked.seconds) {
    if (!good(asked.first + run++, asked)) {
      std::printf("found after %llu seeds, %.1f s\n", static_cast<unsigned long long>(run),
                  spent());
      return 1;
    }
  }
  std::printf("%llu seeds in %.1f s, nothing broken\n", static_cast<unsigned long long>(run),
              spent());
  return 0;
}
