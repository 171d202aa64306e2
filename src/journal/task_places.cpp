#include "journal/task_places.h"

#include <utility>

namespace mahavishnu::journal {
namespace {

constexpr std::size_t kRemembered = 8192;  // in each of two generations

}  // namespace

TaskPlaces::Place TaskPlaces::of(base::TaskId task) {
  if (const auto found = newer_.find(task); found != newer_.end()) return found->second;
  const auto found = older_.find(task);
  Place place = found == older_.end() ? read(task) : std::move(found->second);
  if (place.pool.is_null()) return place;  // not there, or without a pool, yet
  learn(task, place);
  return place;
}

void TaskPlaces::learn(base::TaskId task, Place place) {
  if (newer_.size() >= kRemembered) older_ = std::exchange(newer_, {});
  newer_[task] = std::move(place);
}

TaskPlaces::Place TaskPlaces::read(base::TaskId task) {
  for (const char* half :
       {"tasks_live WHERE settled IS NULL", "tasks_ended WHERE settled IS NOT NULL"}) {
    auto select = database_.lease("SELECT pool,workflow,repo FROM tasks INDEXED BY " +
                                  std::string(half) + " AND id=?");
    if (!select) return {};
    (*select)->bind(1, task.value);
    if (!(*select)->step().value_or(false)) continue;
    return {{(*select)->id(0)}, {(*select)->id(1)}, std::string((*select)->text(2))};
  }
  return {};
}

}  // namespace mahavishnu::journal
