// What the tests of the service share: calls that have to go well.
#pragma once

#include <doctest/doctest.h>

#include <utility>

#include "support/world.h"

namespace mahavishnu::support {

inline domain::TaskId submitted(World& world, control::Service::SubmitArgs args) {
  auto outcome = world.run(world.service->submit(std::move(args)));
  REQUIRE_MESSAGE(outcome, outcome.error().message);
  return outcome->task;
}

inline control::Service::TaskPtr read(World& world, domain::TaskId id) {
  auto task = world.run(world.service->task(id));
  REQUIRE(task);
  return *task;
}

}  // namespace mahavishnu::support
