// The twelve faults of base/planted.h, by number.
#pragma once

namespace mahavishnu::simulation {

inline constexpr const char* kPlants[] = {
    "none",
    "an answer is given before its commit is on disk",
    "a task whose admission failed is not taken out again",
    "an end counts whatever the epoch of its fence",
    "capacity is given back twice",
    "capacity is not given back when the task was cancelled",
    "a cancel is answered before the attempt has stopped",
    "a retry is scheduled although the task was cancelled",
    "an adopted attempt takes its capacity twice",
    "a completion is dropped when the journal is full",
    "reads show what is not on disk yet",
    "an idempotency key is forgotten once its task has left the core",
    "a waiter misses what changed between its read and its wait",
};
inline constexpr int kLastPlant = sizeof kPlants / sizeof *kPlants - 1;

}  // namespace mahavishnu::simulation
