#include "control/record_cache.h"

#include <utility>

namespace mahavishnu::control {
namespace {

using domain::TaskRecord;
using domain::WorkflowRecord;

std::size_t text_bytes(const domain::StringMap& map) {
  std::size_t sum = 0;
  for (const auto& [key, value] : map) sum += key.size() + value.size() + 64;
  return sum;
}

std::size_t text_bytes(const domain::Work& work) {
  std::size_t sum = work.command.size() + work.cwd.size() + work.stdin_text.size() +
                    work.verify.size() + text_bytes(work.env);
  for (const auto& word : work.argv) sum += word.size() + 32;
  return sum;
}

std::size_t weight(const TaskRecord& task) {
  std::size_t sum = sizeof(TaskRecord) + 128 + task.attempts.size() * sizeof(domain::AttemptRecord);
  if (task.spec) {
    sum += sizeof(domain::TaskSpec) + text_bytes(task.spec->work) + text_bytes(task.spec->labels);
    if (task.spec->client_env) sum += text_bytes(*task.spec->client_env);
  }
  if (task.result) sum += task.result->text.size() + task.result->streams.size();
  return sum;
}

std::size_t weight(const WorkflowRecord& workflow) {
  std::size_t sum = sizeof(WorkflowRecord) + 128;
  if (!workflow.spec) return sum;
  sum += sizeof(domain::WorkflowSpec) + text_bytes(workflow.spec->labels);
  for (const auto& step : workflow.spec->steps)
    sum += sizeof(domain::StepSpec) + text_bytes(step.work);
  for (const auto& repo : workflow.spec->repos) sum += repo.name.size() + repo.path.size() + 64;
  return sum;
}

}  // namespace

RecordCache::Entry* RecordCache::touch(base::Ulid id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) {
    ++misses_;
    return nullptr;
  }
  ++hits_;
  ages_.splice(ages_.begin(), ages_, found->second.age);
  return &found->second;
}

TaskPtr RecordCache::task(domain::TaskId id) {
  const Entry* entry = touch(id.value);
  const TaskPtr* task = entry != nullptr ? std::get_if<TaskPtr>(&entry->record) : nullptr;
  return task != nullptr ? *task : nullptr;
}

WorkflowPtr RecordCache::workflow(domain::WorkflowId id) {
  const Entry* entry = touch(id.value);
  const WorkflowPtr* workflow =
      entry != nullptr ? std::get_if<WorkflowPtr>(&entry->record) : nullptr;
  return workflow != nullptr ? *workflow : nullptr;
}

void RecordCache::put(TaskPtr task) {
  const std::size_t bytes = weight(*task);
  const base::Ulid id = task->id.value;
  store(id, std::move(task), bytes);
}

void RecordCache::put(WorkflowPtr workflow) {
  const std::size_t bytes = weight(*workflow);
  const base::Ulid id = workflow->id.value;
  store(id, std::move(workflow), bytes);
}

void RecordCache::store(base::Ulid id, std::variant<TaskPtr, WorkflowPtr> record,
                        std::size_t bytes) {
  auto [found, fresh] = entries_.try_emplace(id);
  Entry& entry = found->second;
  if (fresh) {
    ages_.push_front(id);
    entry.age = ages_.begin();
  }
  bytes_ = bytes_ - entry.bytes + bytes;
  entry.bytes = bytes;
  entry.record = std::move(record);
  evict();
}

void RecordCache::evict() {
  while (entries_.size() > 1 && (entries_.size() > max_entries_ || bytes_ > max_bytes_)) {
    const auto oldest = entries_.find(ages_.back());
    bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
    ages_.pop_back();
  }
}

std::uint64_t RecordCache::begin_read(base::Ulid id) {
  Read& read = reads_[id];
  ++read.readers;
  return read.changes;
}

// Each read by its own beginning: with one mark for all, readers that overlap and read again would
// keep it for each other for ever.
bool RecordCache::end_read(base::Ulid id, std::uint64_t begun) {
  const auto found = reads_.find(id);
  const bool unchanged = found->second.changes == begun;
  if (--found->second.readers == 0) reads_.erase(found);
  return unchanged;
}

void RecordCache::mark_changed(base::Ulid id) {
  if (reads_.empty()) return;
  const auto found = reads_.find(id);
  if (found != reads_.end()) ++found->second.changes;
}

void RecordCache::change_task(const domain::TaskChanged& change) {
  mark_changed(change.task.value);
  const auto found = entries_.find(change.task.value);
  if (found == entries_.end()) return;
  const auto* old = std::get_if<TaskPtr>(&found->second.record);
  if (old == nullptr || (*old)->status.version >= change.status.version) return;
  auto task = std::make_shared<TaskRecord>(**old);
  task->status = change.status;
  if (change.result) task->result = change.result;
  put(TaskPtr(std::move(task)));
}

void RecordCache::change_attempt(const domain::AttemptPut& change) {
  mark_changed(change.attempt.task.value);
  const auto found = entries_.find(change.attempt.task.value);
  if (found == entries_.end()) return;
  const auto* old = std::get_if<TaskPtr>(&found->second.record);
  if (old == nullptr) return;
  auto task = std::make_shared<TaskRecord>(**old);
  for (auto& attempt : task->attempts) {
    if (attempt.number != change.attempt.number) continue;
    if (attempt.ended && !change.attempt.ended) return;
    attempt = change.attempt;
    put(TaskPtr(std::move(task)));
    return;
  }
  task->attempts.push_back(change.attempt);
  put(TaskPtr(std::move(task)));
}

void RecordCache::change_workflow(const domain::WorkflowChanged& change) {
  mark_changed(change.workflow.value);
  const auto found = entries_.find(change.workflow.value);
  if (found == entries_.end()) return;
  const auto* old = std::get_if<WorkflowPtr>(&found->second.record);
  if (old == nullptr || (*old)->status.version >= change.status.version) return;
  auto workflow = std::make_shared<WorkflowRecord>(**old);
  workflow->status = change.status;
  put(WorkflowPtr(std::move(workflow)));
}

void RecordCache::apply(const domain::Record& record) {
  if (const auto* admitted = std::get_if<domain::TaskAdmitted>(&record)) {
    put(std::make_shared<const TaskRecord>(admitted->task));
  } else if (const auto* changed = std::get_if<domain::TaskChanged>(&record)) {
    change_task(*changed);
  } else if (const auto* attempt = std::get_if<domain::AttemptPut>(&record)) {
    change_attempt(*attempt);
  } else if (const auto* workflow = std::get_if<domain::WorkflowAdmitted>(&record)) {
    put(std::make_shared<const WorkflowRecord>(workflow->workflow));
  } else if (const auto* progress = std::get_if<domain::WorkflowChanged>(&record)) {
    change_workflow(*progress);
  }
}

}  // namespace mahavishnu::control
