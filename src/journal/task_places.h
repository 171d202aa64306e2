// Where a task belongs: its pool, workflow and repository, from journal.db.
//
// A change of a task tells neither its pool nor its repository, and a line of the log only its id,
// but people ask for the history of a pool or a repository. One thread; what was found lately is
// remembered.
#pragma once

#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "journal/database.h"

namespace mahavishnu::journal {

class TaskPlaces {
 public:
  struct Place {
    base::PoolId pool;
    base::WorkflowId workflow;
    std::string repo;
  };

  // `database`: a read-only connection to journal.db.
  explicit TaskPlaces(Database database) : database_(std::move(database)) {}

  // Where a task that has just been admitted belongs.
  void learn(base::TaskId task, Place place);
  // An empty place when the task is not known, or cannot be read now.
  Place of(base::TaskId task);

 private:
  Place read(base::TaskId task);

  Database database_;
  std::unordered_map<base::TaskId, Place> newer_, older_;
};

}  // namespace mahavishnu::journal
