// A whole server through storms: the real Shell and Service on an executor polled by hand, between
// a simulated journal, simulated executors and simulated clients, all by the dice of one seed.
//
// A step is one handler of the control thread, or one thing in the world around it, so that a crash
// comes between any two of them: then every coroutine is dropped, and what is left is what the disk
// has synced and what lives on under its shims. After every step the rules are checked; whichever
// is broken first stands in the verdict.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "simulation/clients.h"
#include "simulation/simulated_journal.h"
#include "simulation/simulated_machine.h"
#include "simulation/witness.h"

namespace mahavishnu::simulation {

class ServerWorld {
 public:
  explicit ServerWorld(std::uint64_t seed, bool tracing = false, bool aloud = false);
  ~ServerWorld();

  void act();     // one random step
  void finish();  // nothing new comes and nothing fails any more: everything is to end
  const Verdict& verdict() const { return verdict_; }

 private:
  class Clock;
  struct Life;

  void start_life();
  void end_life(bool orderly);
  void crash();
  bool poll(std::uint64_t handlers);
  bool executors_act();
  void pass_time();
  void step_clock();
  void weather();
  void settle();
  bool calm() const;
  void check_calm();
  void check();

  Verdict verdict_;
  Dice dice_;
  DiskImage disk_;
  Machine machine_;
  Witness witness_;
  std::unique_ptr<Clock> clock_;
  std::uint64_t commands_ = 0;
  std::unique_ptr<Life> life_;
};

}  // namespace mahavishnu::simulation
