#include "control/records.h"

#include <utility>

namespace mahavishnu::control {

namespace {

// The archive's answer as the cache keeps it.
template <class Read>
auto keep_as(std::function<void(domain::Result<RecordCache::Record>)> done) {
  return [done = std::move(done)](domain::Result<Read> read) {
    if (!read) return done(domain::fail(read.error()));
    done(RecordCache::Record(std::make_shared<const Read>(std::move(*read))));
  };
}

template <class Ptr>
auto answer_as(Records::Answer<Ptr> answer) {
  return [answer = std::move(answer)](const domain::Result<RecordCache::Record>& read) {
    if (!read) return answer(domain::fail(read.error()));
    answer(std::get<Ptr>(*read));
  };
}

}  // namespace

void Records::task(domain::TaskId id, Answer<TaskPtr> answer) {
  auto load = [this, id](auto done) {
    archive_.task(id, keep_as<domain::TaskRecord>(std::move(done)));
  };
  cache_.read(id.value, std::move(load), answer_as<TaskPtr>(std::move(answer)));
}

void Records::workflow(domain::WorkflowId id, Answer<WorkflowPtr> answer) {
  auto load = [this, id](auto done) {
    archive_.workflow(id, keep_as<domain::WorkflowRecord>(std::move(done)));
  };
  cache_.read(id.value, std::move(load), answer_as<WorkflowPtr>(std::move(answer)));
}

}  // namespace mahavishnu::control
