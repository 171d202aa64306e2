#include "control/records.h"

#include <utility>

namespace mahavishnu::control {

void Records::task(domain::TaskId id, Answer<TaskPtr> answer) {
  if (TaskPtr task = cache_.task(id)) return answer(std::move(task));
  const std::uint64_t begun = cache_.begin_read(id.value);
  archive_.task(id, [this, id, begun,
                     answer = std::move(answer)](domain::Result<domain::TaskRecord> read) mutable {
    const bool current = cache_.end_read(id.value, begun);
    if (!read) return answer(domain::fail(read.error()));
    if (!current) return task(id, std::move(answer));  // it changed while it was read: read again
    auto record = std::make_shared<const domain::TaskRecord>(std::move(*read));
    cache_.put(record);
    answer(std::move(record));
  });
}

void Records::workflow(domain::WorkflowId id, Answer<WorkflowPtr> answer) {
  if (WorkflowPtr workflow = cache_.workflow(id)) return answer(std::move(workflow));
  const std::uint64_t begun = cache_.begin_read(id.value);
  archive_.workflow(id, [this, id, begun, answer = std::move(answer)](
                            domain::Result<domain::WorkflowRecord> read) mutable {
    const bool current = cache_.end_read(id.value, begun);
    if (!read) return answer(domain::fail(read.error()));
    if (!current) return workflow(id, std::move(answer));
    auto record = std::make_shared<const domain::WorkflowRecord>(std::move(*read));
    cache_.put(record);
    answer(std::move(record));
  });
}

}  // namespace mahavishnu::control
