// Reads of single records: from the cache, else from the archive, never older than what was shown.
//
// One thread. Callbacks run on it, at once when the record is at hand. Nothing is called after the
// owner dropped it (the shell holds it for the whole life of the service).
#pragma once

#include <functional>
#include <memory>

#include "control/record_cache.h"
#include "domain/ports.h"

namespace mahavishnu::control {

class Records {
 public:
  Records(domain::Archive& archive, std::size_t max_entries, std::size_t max_bytes)
      : archive_(archive), cache_(max_entries, max_bytes) {}

  template <class T>
  using Answer = std::function<void(domain::Result<T>)>;

  void task(domain::TaskId id, Answer<TaskPtr> answer);              // NotFound
  void workflow(domain::WorkflowId id, Answer<WorkflowPtr> answer);  // NotFound
  TaskPtr cached_task(domain::TaskId id) { return cache_.task(id); }

  void committed(const domain::Record& record) { cache_.apply(record); }
  RecordCache& cache() { return cache_; }
  const RecordCache& cache() const { return cache_; }

 private:
  domain::Archive& archive_;
  RecordCache cache_;
};

}  // namespace mahavishnu::control
