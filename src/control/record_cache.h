// The newest committed records, kept ready for reads and for starting attempts.
//
// It holds only what is on disk: `apply` is called with a commit's records once the commit is
// durable. Least recently used ones leave when there are too many or they take too many bytes. A
// read from the archive that a change of the same record overtook is done again, so an older state
// never replaces a newer one; those who ask for one record at once share a read. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <variant>

#include "base/cache.h"
#include "domain/records.h"

namespace mahavishnu::control {

using TaskPtr = std::shared_ptr<const domain::TaskRecord>;
using WorkflowPtr = std::shared_ptr<const domain::WorkflowRecord>;

class RecordCache {
 public:
  using Record = std::variant<TaskPtr, WorkflowPtr>;
  struct Hash {
    std::size_t operator()(const base::Ulid& id) const noexcept {
      return static_cast<std::size_t>(id.low ^ (id.high * 0x9E3779B97F4A7C15ULL));
    }
  };
  using Kept = base::Cache<base::Ulid, Record, Hash>;

  RecordCache(std::size_t max_entries, std::size_t max_bytes);

  TaskPtr task(domain::TaskId id);
  WorkflowPtr workflow(domain::WorkflowId id);
  void put(TaskPtr task);
  void put(WorkflowPtr workflow);
  void apply(const domain::Record& record);

  // From here, or with what `load` reads.
  void read(base::Ulid id, Kept::Load load, Kept::Answer answer);

  Kept& kept() { return kept_; }
  base::CacheStats stats() const { return kept_.stats(); }

 private:
  void change_task(const domain::TaskChanged& change);
  void change_attempt(const domain::AttemptPut& change);
  void change_workflow(const domain::WorkflowChanged& change);
  TaskPtr peek_task(domain::TaskId id) const;

  Kept kept_;
};

}  // namespace mahavishnu::control
