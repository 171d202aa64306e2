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
                    work.verify.size() + work.tool.size() + work.arguments.size() +
                    text_bytes(work.env);
  for (const auto& word : work.argv) sum += word.size() + 32;
  return sum;
}

std::size_t weight(const TaskRecord& task) {
  std::size_t sum = sizeof(TaskRecord) + 128 + task.attempts.size() * sizeof(domain::AttemptRecord);
  if (task.spec) {
    sum += sizeof(domain::TaskSpec) + text_bytes(task.spec->work) + text_bytes(task.spec->labels);
    if (task.spec->client_env) sum += text_bytes(*task.spec->client_env);
  }
  if (task.result) {
    sum += task.result->text.size() + task.result->streams.size() + task.result->structured.size();
  }
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

std::size_t weight_of(const RecordCache::Record& record) {
  return std::visit([](const auto& one) { return weight(*one); }, record);
}

}  // namespace

RecordCache::RecordCache(std::size_t max_entries, std::size_t max_bytes)
    : kept_({max_entries, max_bytes, base::Millis{0}}, weight_of) {}

TaskPtr RecordCache::task(domain::TaskId id) {
  const Record* record = kept_.find(id.value);
  const TaskPtr* task = record != nullptr ? std::get_if<TaskPtr>(record) : nullptr;
  return task != nullptr ? *task : nullptr;
}

WorkflowPtr RecordCache::workflow(domain::WorkflowId id) {
  const Record* record = kept_.find(id.value);
  const WorkflowPtr* workflow = record != nullptr ? std::get_if<WorkflowPtr>(record) : nullptr;
  return workflow != nullptr ? *workflow : nullptr;
}

void RecordCache::put(TaskPtr task) {
  const base::Ulid id = task->id.value;
  kept_.put(id, std::move(task));
}

void RecordCache::put(WorkflowPtr workflow) {
  const base::Ulid id = workflow->id.value;
  kept_.put(id, std::move(workflow));
}

void RecordCache::read(base::Ulid id, Kept::Load load, Kept::Answer answer) {
  kept_.get(id, std::move(load), std::move(answer));
}

TaskPtr RecordCache::peek_task(domain::TaskId id) const {
  const Record* record = kept_.peek(id.value);
  const TaskPtr* task = record != nullptr ? std::get_if<TaskPtr>(record) : nullptr;
  return task != nullptr ? *task : nullptr;
}

void RecordCache::change_task(const domain::TaskChanged& change) {
  kept_.overtake(change.task.value);
  const TaskPtr old = peek_task(change.task);
  if (old == nullptr || old->status.version >= change.status.version) return;
  auto task = std::make_shared<TaskRecord>(*old);
  task->status = change.status;
  if (change.result) task->result = change.result;
  put(TaskPtr(std::move(task)));
}

void RecordCache::change_attempt(const domain::AttemptPut& change) {
  kept_.overtake(change.attempt.task.value);
  const TaskPtr old = peek_task(change.attempt.task);
  if (old == nullptr) return;
  auto task = std::make_shared<TaskRecord>(*old);
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
  kept_.overtake(change.workflow.value);
  const Record* record = kept_.peek(change.workflow.value);
  const WorkflowPtr* old = record != nullptr ? std::get_if<WorkflowPtr>(record) : nullptr;
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
